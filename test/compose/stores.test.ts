import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadConfig } from '../../src/compose/config.ts';
import { cannotAsk } from '../../src/compose/master-key.ts';
import { type Instance, openInstance } from '../../src/compose/open.ts';
import { SecretBytes } from '../../src/core/secret-bytes.ts';
import { edit } from '../e2e/instance.ts';
import { type Home, madeHome } from './home.ts';

let home: Home;
const opened: Instance[] = [];

beforeEach(async () => {
  home = await madeHome();
});

afterEach(async () => {
  for (const instance of opened.splice(0)) await instance.close();
  await home[Symbol.asyncDispose]();
});

async function configure(stores: object, more: object = {}): Promise<void> {
  await edit(join(home.path, 'keyturn.yaml'), (config) => ({ ...config, stores, ...more }));
}

async function open(): Promise<Instance> {
  const instance = await openInstance(await loadConfig(home.path), { ask: cannotAsk });
  opened.push(instance);
  return instance;
}

async function closeAll(): Promise<void> {
  for (const instance of opened.splice(0)) await instance.close();
}

async function storeEntries({ desk }: Instance): Promise<string[]> {
  const entries = await desk.ledger.entries({ limit: 100 });
  return entries.map(({ json }) => JSON.parse(json).kind).filter((kind) => kind.startsWith('store.'));
}

/** In the folders that init makes with the mode that a store needs. */
const ARCHIVE = { kind: 'file', path: 'keys/archive.ktn', 'master-key': { file: 'master/archive.key' } };
/** Nobody listens there. */
const DOWN = { kind: 'vault', address: 'http://127.0.0.1:1', login: { method: 'token-file', file: 'admin/token' } };

test('a further file is made when it is first named, empty, with its master key, and is on the log', async () => {
  await configure({ archive: ARCHIVE }, { 'default-store': 'archive' });
  const first = await open();
  expect([...first.desk.stores.keys()]).toEqual(['file', 'archive']);
  expect(first.desk.defaultStore.name).toBe('archive');
  expect(await storeEntries(first)).toEqual(['store.added']);
  await closeAll();
  expect(await storeEntries(await open())).toEqual(['store.added']);
});

test('a further file that goes missing, or comes back as an older copy, refuses the start', async () => {
  await configure({ archive: ARCHIVE });
  const first = await open();
  const store = first.desk.stores.get('archive');
  using octets = SecretBytes.copyOf(Buffer.from('a key'));
  const file = join(home.path, 'keys', 'archive.ktn');
  await cp(file, join(home.path, 'older'));
  await store?.write('versions/lean/sandbox/1', octets);
  const state = await store?.attest();
  await first.desk.ledger.commit({
    writes: [{ put: 'stores', row: { store: 'archive', generation: 0, digest: '', ...state } }],
    entry: { kind: 'test.noted', actor: 'system', data: {} },
  });
  await closeAll();
  await cp(join(home.path, 'older'), file);
  await expect(open()).rejects.toMatchObject({ code: 'keystore_rollback' });
  await rm(file);
  await expect(open()).rejects.toMatchObject({ code: 'not_found' });
});

test('a file with keys that the ledger has never known is not taken in', async () => {
  await configure({ archive: ARCHIVE });
  const first = await open();
  using octets = SecretBytes.copyOf(Buffer.from('a key'));
  await first.desk.stores.get('archive')?.write('versions/lean/sandbox/1', octets);
  await closeAll();
  await configure({ renamed: ARCHIVE });
  await expect(open()).rejects.toMatchObject({ code: 'keystore_rollback' });
});

test('a store elsewhere that is down does not keep the server from starting; a new place is on the log', async () => {
  await configure({ vault: DOWN }, { 'default-store': 'vault' });
  const first = await open();
  expect(await first.desk.defaultStore.health()).toMatchObject({ ready: false });
  await closeAll();
  await configure({ vault: { ...DOWN, mount: 'other' } });
  expect(await storeEntries(await open())).toEqual(['store.added', 'store.place-changed']);
});

test('a store that cannot be opened as configured is named', async () => {
  await configure({ 'vault-eu': { ...DOWN, address: 'http://vault.internal:8200' } });
  await expect(open()).rejects.toMatchObject({
    code: 'config_invalid',
    message: expect.stringContaining('Key store vault-eu: '),
  });
});
