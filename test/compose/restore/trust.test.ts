import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import type { LogSigner } from '../../../src/audit/checkpoint.ts';
import { formatRecipient } from '../../../src/backup/recipient.ts';
import { cannotAsk } from '../../../src/compose/master-key.ts';
import { type RestoreOptions, restoreBackup } from '../../../src/compose/restore/restore.ts';
import { generateX25519 } from '../../../src/sealed/x25519.ts';
import { newSigner } from '../../audit/log.ts';
import { edit, TestInstance } from '../../e2e/instance.ts';
import { repacked } from './repacked.ts';

const identity = generateX25519();
const RECIPIENT = formatRecipient(identity.publicKey);

let place: string;
let backup: Buffer;
let signer: LogSigner;
/** Somebody's, who waits there for the token of whoever restores. */
let trap: Server;
let caught: string[];

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'kt-trust-'));
  const keyturn = await TestInstance.start();
  await edit(join(keyturn.home, 'keyturn.yaml'), (config) => ({ ...config, backup: { recipients: [RECIPIENT] } }));
  await keyturn.restart();
  const token = await keyturn.grant('service:backup', 'backup', { credentials: ['**'] });
  backup = (await keyturn.call('POST', '/v1/backups', { token, json: { recipient: RECIPIENT } })).raw;
  ({ signer } = keyturn.serving.instance);
  await copyFile(join(keyturn.home, 'master', 'master.key'), join(place, 'master.key'));
  await writeFile(join(place, 'vault-token'), 'hvs.canary-of-the-operator', { mode: 0o600 });
  await keyturn.stop();
}, 60_000);
afterAll(() => rm(place, { recursive: true, force: true }));

beforeEach(async () => {
  caught = [];
  trap = createServer((request, response) => {
    caught.push(`${request.url} ${JSON.stringify(request.headers)}`);
    response.writeHead(403, { 'content-type': 'application/json' }).end('{"errors":["no"]}');
  });
  await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve));
});
afterEach(() => new Promise((resolve) => trap.close(resolve)));

const trapUrl = () => `http://127.0.0.1:${(trap.address() as AddressInfo).port}`;

async function restore(octets: Buffer, more: Partial<RestoreOptions> = {}) {
  const file = join(place, 'file.backup');
  await writeFile(file, octets);
  const home = join(place, 'home');
  return restoreBackup({ file, identity: identity.privateKey, home, ask: cannotAsk, acceptLoss: true, ...more });
}

/** The backup with another master key in its configuration, signed by whoever that is. */
function forged(
  masterKey: object,
  more: Readonly<Record<string, object>> = {},
  by: LogSigner = newSigner(signer.origin),
) {
  return repacked(backup, identity, async (files) => {
    const config = parse(files.get('config')?.toString() ?? '') as Record<string, object>;
    const keystore = { ...config['keystore'], 'master-key': masterKey };
    files.set('config', Buffer.from(stringify({ ...config, ...more, keystore })));
    if (/vault-transit|aws-kms/.test(Object.keys(masterKey).join()))
      files.set('wrapped/file', Buffer.from('vault:v1:bm90'));
    return by;
  });
}

const login = () => ({ method: 'token-file', file: join(place, 'vault-token') });
const transit = (address: string) => ({
  'vault-transit': { address, login: login(), key: 'keyturn', 'wrapped-file': 'master/wrapped', 'max-retries': 0 },
});

async function nothingLeft(): Promise<void> {
  expect((await readdir(place)).filter((name) => name.startsWith('home'))).toEqual([]);
}

test('a server that the configuration names is not asked before it is known who wrote that, and it is told', async () => {
  const octets = await forged(transit(trapUrl()), { checkpoint: { path: '/mnt/elsewhere/checkpoint' } });
  const refused = restore(octets);
  await expect(refused).rejects.toMatchObject({
    code: 'invalid_input',
    message: expect.stringMatching(
      `ask Vault at ${trapUrl()} for the master key, with the token in ${join(place, 'vault-token')}.*/mnt/elsewhere/checkpoint`,
    ),
    fix: expect.stringMatching(/--connection.*--key.*--master-key-file.*--trust-backup/),
  });
  expect(caught).toEqual([]);
  await nothingLeft();
});

test('with the log’s key it is refused for what it is, and nobody is asked', async () => {
  const octets = await forged(transit(trapUrl()));
  for (const trustBackup of [false, true]) {
    await expect(restore(octets, { keys: [signer.vkey], trustBackup })).rejects.toMatchObject({
      code: 'backup_invalid',
    });
  }
  await expect(restore(octets, { keys: [newSigner('another/log').vkey] })).rejects.toMatchObject({
    code: 'backup_invalid',
    message: expect.stringContaining('of another log'),
  });
  expect(caught).toEqual([]);
  await nothingLeft();
});

test('with the master key at hand nobody is asked for another', async () => {
  const octets = await forged(transit(trapUrl()));
  const masterKeyFile = join(place, 'master.key');
  await expect(restore(octets, { masterKeyFile })).rejects.toMatchObject({ code: 'backup_invalid' });
  expect(caught).toEqual([]);
  await nothingLeft();
});

test('whoever trusts it is told what is done before it is, and then it is done', async () => {
  const told: string[] = [];
  const onTrusted = (doings: readonly string[]) => {
    expect(caught).toEqual([]);
    told.push(...doings);
  };
  const trusting = restore(await forged(transit(trapUrl())), { trustBackup: true, onTrusted });
  await expect(trusting).rejects.toMatchObject({ code: expect.stringMatching(/^keystore_|master_key/) });
  expect(told).toEqual([
    `ask Vault at ${trapUrl()} for the master key, with the token in ${join(place, 'vault-token')} (store file)`,
  ]);
  // That is what the others were kept from.
  expect(caught.join()).toContain('hvs.canary-of-the-operator');
  await nothingLeft();
});

test('whose log’s key has signed it is followed without a word', async () => {
  const octets = await forged(transit(trapUrl()), {}, signer);
  const onTrusted = () => expect.unreachable();
  await expect(restore(octets, { keys: [signer.vkey], onTrusted })).rejects.toThrow();
  expect(caught.join()).toContain('hvs.canary-of-the-operator');
});

test.each<[string, () => object, string | RegExp]>([
  ['a file elsewhere', () => ({ file: '/etc/keyturn/other.key' }), 'read /etc/keyturn/other.key as the master key'],
  ['a file of a passphrase', () => ({ 'passphrase-file': '/etc/pass' }), 'read /etc/pass as the passphrase'],
  ['a credential of systemd', () => ({ 'systemd-credential': 'own' }), 'read the systemd credential own'],
  [
    'AWS',
    () => ({ 'aws-kms': { endpoint: trapUrl(), region: 'eu-central-1', key: 'k', 'wrapped-file': 'master/wrapped' } }),
    /ask AWS KMS at http:.* with the AWS credentials of this shell/,
  ],
  [
    'a Vault of the shell’s',
    () => ({ 'vault-transit': { key: 'keyturn', 'wrapped-file': 'master/wrapped' } }),
    /BAO_ADDR or VAULT_ADDR .* token of this shell/,
  ],
])('a master key in %s is told, and left alone', async (_, masterKey, says) => {
  await expect(restore(await forged(masterKey()))).rejects.toMatchObject({
    code: 'invalid_input',
    message: expect.stringMatching(says),
  });
  expect(caught).toEqual([]);
  await nothingLeft();
});

test('a backup that brings its own master key is none of ours', async () => {
  const octets = await repacked(backup, identity, async (files) => {
    const config = parse(files.get('config')?.toString() ?? '') as Record<string, object>;
    const keystore = { ...config['keystore'], 'master-key': { file: 'policies/access/master.yaml' } };
    files.set('config', Buffer.from(stringify({ ...config, keystore })));
    files.set('access/master.yaml', await readFile(join(place, 'master.key')));
    return signer;
  });
  for (const trustBackup of [false, true]) {
    await expect(restore(octets, { trustBackup })).rejects.toMatchObject({
      code: 'backup_invalid',
      message: expect.stringContaining('it brings what its configuration calls the master key'),
    });
  }
  await nothingLeft();
});

test('of the ordinary one, whose master key lay beside it, the master key is asked for as ever', async () => {
  await expect(restore(backup)).rejects.toMatchObject({
    code: 'master_key_wrong',
    fix: expect.stringContaining('--master-key-file'),
  });
  expect(await restore(backup, { masterKeyFile: join(place, 'master.key') })).toMatchObject({ generation: 2 });
});
