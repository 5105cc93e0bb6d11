import type { KeyObject } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseDocument } from 'yaml';
import { readArchive, type Unpacked } from '../../backup/archive.ts';
import { damaged } from '../../backup/damage.ts';
import type { BackupFile } from '../../backup/manifest.ts';
import { decryptBackup } from '../../backup/stream.ts';
import { KeyturnError } from '../../core/errors.ts';
import { CONFIG_FILE } from '../config.ts';

/** Where the files of a backup lie in a restored instance, whatever the lost one's configuration said. */
const PLACES: Readonly<Record<string, string>> = {
  config: CONFIG_FILE,
  ledger: 'ledger/ledger.db',
  keystore: 'keys/keys.ktn',
  'listener-ca': 'listener/ca.crt',
};
const FOLDERS = [
  'keys',
  'master',
  'ledger',
  'journal',
  'checkpoint',
  'listener',
  'policies/access',
  'policies/partners',
  'run',
  'admin',
];
const NEEDED = ['config', 'ledger', 'keystore'];

/**
 * Decrypts a backup into `home`, a folder of our own that is thrown away if anything goes wrong.
 * @throws KeyturnError `backup_invalid`, `backup_identity_wrong`, `not_found`.
 */
export async function unpackBackup(file: string, identity: KeyObject, home: string): Promise<Unpacked> {
  for (const folder of FOLDERS) await mkdir(join(home, folder), { recursive: true, mode: 0o700 });
  const plaintext = decryptBackup(octetsOf(file), identity);
  const unpacked = await readArchive(plaintext, (entry, octets) => place(home, entry, octets));
  const names = unpacked.manifest.files.map(({ name }) => name);
  const missing = NEEDED.find((name) => !names.includes(name));
  if (missing !== undefined) throw damaged(`it has no ${missing}`);
  return unpacked;
}

async function* octetsOf(file: string): AsyncGenerator<Buffer> {
  try {
    for await (const piece of createReadStream(file)) yield piece as Buffer;
  } catch {
    throw new KeyturnError('invalid_input', `The backup ${file} can't be read.`, { fix: 'Check the path.' });
  }
}

async function place(home: string, { name }: BackupFile, octets: AsyncIterable<Buffer>): Promise<void> {
  const path = join(home, placeOf(name));
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await using made = await open(path, 'wx', 0o600);
  for await (const piece of octets) await made.writeFile(piece);
  await made.sync();
  if (name === 'listener-ca') await chmod(path, 0o644);
}

function placeOf(name: string): string {
  const [kind = '', ...rest] = name.split('/');
  if (kind === 'access' || kind === 'partners') return join('policies', name);
  if (kind === 'stores') return `keys/${rest.join('/')}.ktn`;
  if (kind === 'wrapped') return `master/${rest.join('/')}.wrapped`;
  return PLACES[name] ?? name;
}

/** Points the configuration to where things lie now; comments and all else stay. Returns the members that changed. */
export async function rehome(
  home: string,
  files: readonly BackupFile[],
  masterKeyFile: string | undefined,
): Promise<string[]> {
  const path = join(home, CONFIG_FILE);
  const document = parseDocument(await readFile(path, 'utf8'));
  const changed: string[] = [];
  const set = (member: readonly string[], value: string) => {
    if (document.getIn(member) === value) return;
    document.setIn(member, value);
    changed.push(member.join('.'));
  };
  // Whatever the ledger was in, its copy is a file.
  if (document.getIn(['ledger', 'path']) === undefined) document.deleteIn(['ledger']);
  set(['ledger', 'path'], 'ledger/ledger.db');
  set(['journal', 'path'], 'journal/freeze.journal');
  set(['keystore', 'path'], 'keys/keys.ktn');
  set(['policies', 'access'], 'policies/access');
  set(['policies', 'partners'], 'policies/partners');
  set(['socket', 'path'], 'run/keyturn.sock');
  for (const { name } of files) {
    const [kind, store = ''] = name.split('/');
    if (name === 'listener-ca') set(['certificate', 'ca'], 'listener/ca.crt');
    if (kind === 'stores') set(['stores', store, 'path'], `keys/${store}.ktn`);
    if (kind !== 'wrapped') continue;
    const owner = store === 'file' ? ['keystore'] : ['stores', store];
    const by = document.hasIn([...owner, 'master-key', 'aws-kms']) ? 'aws-kms' : 'vault-transit';
    set([...owner, 'master-key', by, 'wrapped-file'], `master/${store}.wrapped`);
  }
  if (masterKeyFile !== undefined) {
    document.setIn(['keystore', 'master-key'], { file: masterKeyFile });
    changed.push('keystore.master-key');
  }
  await writeFile(path, document.toString(), { mode: 0o600 });
  return changed;
}
