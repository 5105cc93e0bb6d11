import { chmod, cp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadConfig } from '../../../../src/compose/config.ts';
import { cannotAsk } from '../../../../src/compose/master-key.ts';
import { openInstance } from '../../../../src/compose/open.ts';
import { examineStores } from '../../../../src/compose/upkeep/examine/stores.ts';
import type { Check } from '../../../../src/core/check.ts';
import { edit } from '../../../e2e/instance.ts';
import { type Home, madeHome } from '../../home.ts';

let home: Home;
let master: Buffer;

beforeEach(async () => {
  home = await madeHome();
  master = await readFile(at('master/master.key'));
});
afterEach(() => home[Symbol.asyncDispose]());

function at(path: string): string {
  return join(home.path, path);
}

async function examined(writeTest = false): Promise<Check[]> {
  const found = await examineStores(await loadConfig(home.path), { writeTest });
  expect(JSON.stringify(found)).not.toContain(master.toString('latin1').trim());
  return found;
}

async function complaints(): Promise<Check[]> {
  return (await examined()).filter(({ verdict }) => verdict !== 'ok');
}

test('a file that opens is well in every respect; nothing of it changes, not even by a write test', async () => {
  const before = await readFile(at('keys/keys.ktn'));
  expect((await examined(true)).map(({ name, verdict }) => [name, verdict])).toEqual([
    ['key store file', 'ok'],
    ['key store lock', 'ok'],
    ['key store master key', 'ok'],
    ['key store content', 'ok'],
  ]);
  expect((await readFile(at('keys/keys.ktn'))).equals(before)).toBe(true);
});

test('who has the file open is told, and it is examined all the same', async () => {
  const lock = async () => (await examined()).find(({ name }) => name === 'key store lock')?.evidence;
  expect(await lock()).toBe('nobody has the file open');
  const instance = await openInstance(await loadConfig(home.path), { ask: cannotAsk });
  try {
    expect(await lock()).toBe(`open in process ${process.pid}`);
    expect(await complaints()).toEqual([]);
  } finally {
    await instance.close();
  }
  expect(await lock()).toBe('nobody has the file open');
});

test.each<[string, () => Promise<unknown>, string, string, string]>([
  ['open to others', () => chmod(at('keys/keys.ktn'), 0o644), 'key store file', 'open to others', 'chmod 600'],
  ['in an open folder', () => chmod(at('keys'), 0o755), 'key store file', 'open to others', 'chmod 700'],
  ['gone', () => rm(at('keys/keys.ktn')), 'key store file', "can't be read", 'backup'],
  ['without master key', () => rm(at('master/master.key')), 'key store master key', "can't be read", 'backup'],
  [
    'a link',
    async () => {
      await cp(at('keys/keys.ktn'), at('copy'));
      await rm(at('keys/keys.ktn'));
      await symlink(at('copy'), at('keys/keys.ktn'));
    },
    'key store file',
    'symbolic link',
    'the place itself',
  ],
  ['beside a lock that is none', () => writeFile(at('keys/keys.ktn.lock'), 'x'), 'key store lock', 'not empty', 'rm '],
  [
    'under another master key',
    () => writeFile(at('master/master.key'), `${Buffer.alloc(32, 7).toString('base64')}\n`),
    'key store content',
    'master_key_wrong',
    ' ',
  ],
  [
    'with a master key file that holds none',
    () => writeFile(at('master/master.key'), 'hello'),
    'key store content',
    'does not hold a master key',
    '32 random octets',
  ],
  [
    'changed by an octet',
    async () => {
      const octets = await readFile(at('keys/keys.ktn'));
      octets[octets.length - 20]! ^= 1;
      await writeFile(at('keys/keys.ktn'), octets);
    },
    'key store content',
    'keystore_corrupt',
    ' ',
  ],
])('a file that is %s', async (_, break_, name, evidence, fix) => {
  await break_();
  expect(await complaints()).toEqual([
    { name, verdict: 'broken', evidence: expect.stringContaining(evidence), fix: expect.stringContaining(fix) },
  ]);
});

test('a passphrase that is asked for is not asked for here; one in a file opens the store', async () => {
  const configured = (masterKey: object) =>
    edit(at('keyturn.yaml'), (config) => ({ ...config, keystore: { path: 'keys/keys.ktn', 'master-key': masterKey } }));
  await configured({ passphrase: 'prompt' });
  expect(await complaints()).toEqual([]);
  await configured({ 'systemd-credential': 'keyturn' });
  expect(await complaints()).toEqual([]);
  await configured({ 'passphrase-file': 'admin/passphrase' });
  expect(await complaints()).toMatchObject([{ name: 'key store master key', verdict: 'broken' }]);
  await writeFile(at('admin/passphrase'), 'five random words in a row\n', { mode: 0o644 });
  expect(await complaints()).toMatchObject([
    { name: 'key store master key', verdict: 'attention', fix: `chmod 600 ${at('admin/passphrase')}` },
    { name: 'key store content', verdict: 'broken', evidence: expect.stringContaining('master_key_wrong') },
  ]);
});

test('further files are examined by their names, and one that is not made yet is no fault', async () => {
  const archive = { kind: 'file', path: 'keys/archive.ktn', 'master-key': { file: 'master/archive.key' } };
  await edit(at('keyturn.yaml'), (config) => ({ ...config, stores: { archive } }));
  const names = async () => (await examined()).map(({ name }) => name).filter((name) => name.startsWith('store '));
  expect(await complaints()).toEqual([]);
  expect(await names()).toEqual(['store archive file']);
  await (await openInstance(await loadConfig(home.path), { ask: cannotAsk })).close();
  expect(await names()).toEqual(['file', 'lock', 'master key', 'content'].map((part) => `store archive ${part}`));
  await chmod(at('keys/archive.ktn'), 0o660);
  expect(await complaints()).toMatchObject([{ name: 'store archive file', verdict: 'broken' }]);
});
