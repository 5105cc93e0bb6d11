import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { principalOf } from '../access/principal.ts';
import { isKeyturnError, KeyturnError } from '../core/errors.ts';
import { syncFolder } from '../core/io/sync-folder.ts';
import { refusedFile } from '../core/io/why-file.ts';
import { SecretBytes } from '../core/secret-bytes.ts';
import { tokenEntry, tokenRow } from '../credential/token.ts';
import { createFileStore } from '../keystore/file/file-store.ts';
import { KeyStore } from '../keystore/keystore.ts';
import { systemRecord } from '../keystore/record-name.ts';
import { createServerCa } from '../tls/ca.ts';
import { CONFIG_FILE, type Config, parseConfig } from './config.ts';
import { connectionFacts } from './connection.ts';
import { exists } from './exists.ts';
import { beginLedger, recordStart, writeOutside } from './ledger/begin-ledger.ts';
import { type AskSecret, makeMasterKey, masterKeySource } from './master-key.ts';
import type { PostgresSetting } from './settings/ledger.ts';
import type { MasterKeySetting } from './settings/master-key.ts';
import { OWN_STORE } from './settings/stores.ts';

export interface InitOptions {
  readonly home: string;
  /** The person who gets the first token, e.g. `alice`. */
  readonly administrator: string;
  /** Default: a generated key file in `master/`. */
  readonly masterKey?: MasterKeySetting;
  /** A database for the ledger, whose schema has no tables yet. Default: a file in `ledger/`. */
  readonly postgres?: PostgresSetting;
  readonly host?: string;
  /** Default 8443; 0 picks one that is free now. */
  readonly port?: number;
  readonly names?: readonly string[];
  /** Name of the log for ever; default `keyturn/<host name>/<random>`. */
  readonly origin?: string;
  readonly ask: AskSecret;
  readonly now?: number;
}

export interface Initialised {
  readonly config: Config;
  readonly connectionFile: string;
  readonly tokenFile: string;
  readonly administrator: string;
  /** The log's public key in vkey form: keep a copy elsewhere, it is what verifies the audit log. */
  readonly logKey: string;
}

const SHIPPED_POLICIES = fileURLToPath(new URL('../../policies/', import.meta.url));
const FIRST_TOKEN_SECONDS = 90 * 86_400;

/** What init makes in the instance's folder; removed again when it fails. */
const FOLDERS = ['keys', 'master', 'ledger', 'journal', 'checkpoint', 'listener', 'policies', 'run', 'admin'];

/**
 * Makes a new instance in a folder: master key, key store with the log's and the CA's keys, ledger with its first
 * entries, shipped policies, and the first administrator's token. `keyturn.yaml` is written last: a folder without it
 * is not an instance. A failed init removes what it made, in a database too; after an interrupted one that is left to a person.
 * @throws KeyturnError `conflict` if the folder or the database holds an instance or parts of one; `invalid_input`,
 * `config_invalid` for options that make none; `ledger_unavailable`.
 */
export async function initInstance(options: InitOptions): Promise<Initialised> {
  const home = resolve(options.home);
  try {
    return await makeInstance(home, options);
  } catch (error) {
    const refused = isKeyturnError(error) ? null : refusedFile(error);
    if (refused === null) throw error;
    throw new KeyturnError('conflict', `No instance can be made in ${home}: the system refused ${refused}.`, {
      fix: 'Let this user write there and make room, or choose another folder with --home.',
    });
  }
}

async function makeInstance(home: string, options: InitOptions): Promise<Initialised> {
  principalOf(`person:${options.administrator}`);
  const text = configText(options, options.port === 0 ? await freePort() : (options.port ?? 8443));
  const config = configOf(home, text);
  await using made = new AsyncDisposableStack();
  await makeFolders(home, 'path' in config.ledger ? FOLDERS : FOLDERS.filter((name) => name !== 'ledger'), made);
  await copyPolicies(config, options.administrator);
  const store = await makeStore(config, options.ask, made);
  try {
    const logKey = await makeSystemKeys(config, store, options.now ?? Date.now());
    const { connectionFile, tokenFile, vkey } = await makeLedger(config, store, logKey, { ...options, made });
    await writeConfig(join(home, CONFIG_FILE), text);
    made.move();
    return { config, connectionFile, tokenFile, administrator: options.administrator, logKey: vkey };
  } finally {
    await store.close();
  }
}

async function writeConfig(path: string, text: string): Promise<void> {
  await using file = await open(path, 'wx', 0o600);
  await file.writeFile(text);
  await file.sync();
  await syncFolder(dirname(path));
}

/** What is wrong with it was said by the options: there is no file yet. */
function configOf(home: string, text: string): Config {
  try {
    return parseConfig(home, text, join(home, CONFIG_FILE));
  } catch (error) {
    if (!isKeyturnError(error, 'config_invalid')) throw error;
    const { member = '', what = '' } = error.facts;
    const given = OPTIONS.find(({ of }) => String(member).startsWith(of));
    if (given === undefined) throw error;
    throw new KeyturnError('invalid_input', `${given.option}: ${String(what)}.`, { fix: given.fix });
  }
}

/** The options of `keyturn init` that members come from as they were given. */
const OPTIONS = [
  {
    of: 'listen.host',
    option: '--host',
    fix: 'Give an address such as 0.0.0.0, :: or 10.0.0.7; the port goes by --port.',
  },
  {
    of: 'listen.names',
    option: '--name',
    fix: 'Give names such as keyturn.internal or 10.0.0.7; repeat --name for several.',
  },
  { of: 'log.origin', option: '--origin', fix: 'Give a name such as keyturn.example/log.' },
];

/** A port that nobody listens on at this moment. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}

/** By which clients call a server that listens there, where nothing else is said: one address alone is not localhost. */
function namesAt(host: string): readonly string[] {
  const local = ['localhost', '127.0.0.1'];
  return ['0.0.0.0', '::', ...local].includes(host) ? local : [host, ...local];
}

function configText(options: InitOptions, port: number): string {
  const { host = '127.0.0.1' } = options;
  const names = options.names ?? namesAt(host);
  const origin =
    options.origin ?? `keyturn/${hostname().replaceAll(/[^A-Za-z0-9.-]/g, '-')}/${randomBytes(4).toString('hex')}`;
  return stringify({
    listen: { host, port, names: [...names] },
    certificate: { ca: 'listener/ca.crt' },
    log: { origin },
    ledger: options.postgres === undefined ? { path: 'ledger/ledger.db' } : { postgres: options.postgres },
    journal: { path: 'journal/freeze.journal' },
    checkpoint: { path: 'checkpoint/checkpoint' },
    keystore: { path: 'keys/keys.ktn', 'master-key': options.masterKey ?? { file: 'master/master.key' } },
    policies: { access: 'policies/access', partners: 'policies/partners' },
    socket: { path: 'run/keyturn.sock' },
    leases: { default: '15m', maximum: '1h' },
  });
}

async function makeFolders(home: string, folders: readonly string[], made: AsyncDisposableStack): Promise<void> {
  await mkdir(home, { recursive: true, mode: 0o700 });
  for (const taken of [CONFIG_FILE, ...folders]) {
    if (await exists(join(home, taken))) {
      throw new KeyturnError('conflict', `${home} already holds ${taken}.`, {
        fix: 'Choose another folder with --home, or remove what a failed init left behind.',
      });
    }
  }
  for (const folder of folders) {
    const path = join(home, folder);
    await mkdir(path, { mode: 0o700 });
    made.defer(() => rm(path, { recursive: true, force: true }));
  }
}

/** The shipped files, and bindings for the first administrator. */
async function copyPolicies(config: Config, administrator: string): Promise<void> {
  const { id } = principalOf(`person:${administrator}`);
  await copyFiles(join(SHIPPED_POLICIES, 'access'), config.accessPolicies);
  await copyFiles(join(SHIPPED_POLICIES, 'partners'), config.partnerProfiles);
  const bindings = ['administrator', 'operator', 'approver', 'auditor'].map((role) => ({
    id: `${administrator}-${role}`,
    role,
    principals: [id],
    credentials: ['**'],
    comment: 'First administrator, made by keyturn init. Narrow this once others have their roles.',
  }));
  await writeFile(join(config.accessPolicies, 'bindings.yaml'), stringify({ bindings }), { mode: 0o600 });
}

/** With modes of our own: what is shipped may be read-only, and the copies are there to be edited. */
async function copyFiles(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true, mode: 0o700 });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await copyFiles(source, target);
    else await writeFile(target, await readFile(source), { mode: 0o600 });
  }
}

async function makeStore(config: Config, ask: AskSecret, made: AsyncDisposableStack): Promise<KeyStore> {
  const key = await makeMasterKey(config.masterKey, config.keystore);
  if (key !== null) made.defer(() => rm(key, { force: true }));
  const driver = await createFileStore({ path: config.keystore, master: masterKeySource(config.masterKey, ask) });
  return new KeyStore(OWN_STORE, driver);
}

/** The log's signing key and the CA's key; both rest in the key store alone. */
async function makeSystemKeys(config: Config, store: KeyStore, now: number) {
  const { privateKey } = generateKeyPairSync('ed25519');
  using logOctets = SecretBytes.own(privateKey.export({ format: 'der', type: 'pkcs8' }));
  await store.write(systemRecord('log', 1), logOctets);
  if ('ca' in config.certificate) {
    const ca = await createServerCa({ commonName: `Keyturn CA of ${config.listen.names[0]}`, now });
    using caKey = ca.privateKey;
    await store.write(systemRecord('ca', 1), caKey);
    await writeFile(config.certificate.ca, ca.certificatePem, { mode: 0o644, flag: 'wx' });
  }
  return privateKey;
}

async function makeLedger(
  config: Config,
  store: KeyStore,
  privateKey: KeyObject,
  options: InitOptions & { readonly made: AsyncDisposableStack },
) {
  const now = options.now ?? Date.now();
  const ledger = await beginLedger(config, privateKey, options.made);
  try {
    const facts = await connectionFacts(config, privateKey);
    await recordStart(config, ledger, store, facts.log.keys[0] ?? '');
    const first = tokenRow(
      {
        principal: `person:${options.administrator}`,
        ttlSeconds: FIRST_TOKEN_SECONDS,
        comment: 'first administrator, made by keyturn init',
      },
      'system',
      now,
    );
    using token = first.token;
    await ledger.commit({
      writes: [{ insert: 'tokens', row: first.row }],
      entry: tokenEntry('token.created', 'system', first.row),
    });
    await writeOutside(config, ledger, facts.log.keys);
    const connectionFile = join(config.home, 'admin', 'connection.json');
    const tokenFile = join(config.home, 'admin', 'token');
    await writeFile(connectionFile, `${JSON.stringify({ keyturn: 1, ...facts }, null, 2)}\n`, {
      mode: 0o644,
      flag: 'wx',
    });
    await writeFile(tokenFile, token.bytes, { mode: 0o600, flag: 'wx' });
    return { connectionFile, tokenFile, vkey: facts.log.keys[0] ?? '' };
  } finally {
    await ledger.close();
  }
}
