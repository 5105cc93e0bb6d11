import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import { createFileStore, openFileStore } from '../../../src/keystore/file/file-store.ts';
import {
  type TransitMasterKeyOptions,
  transitMasterKey,
  wrapWithTransit,
} from '../../../src/keystore/vault/transit.ts';
import { OpenBao } from '../../fakes/openbao.ts';
import { type Folder, folderWith } from '../../fakes/programs.ts';

const POLICY = readFileSync(
  fileURLToPath(new URL('../../../policies/vault/keyturn-transit.hcl', import.meta.url)),
  'utf8',
);

let server: OpenBao;
let folder: Folder;
let options: TransitMasterKeyOptions;

beforeAll(async () => {
  server = await OpenBao.start();
  folder = await folderWith({});
  await server.root({ path: 'sys/mounts/transit', body: { type: 'transit' } });
  for (const key of ['keyturn', 'other']) await server.root({ path: `transit/keys/${key}`, body: {} });
  await server.policy('transit', POLICY);
  options = {
    key: 'keyturn',
    wrappedFile: folder.path('master.wrapped'),
    environment: {
      BAO_ADDR: server.url,
      BAO_CACERT_BYTES: server.ca.certificatePem,
      BAO_TOKEN: await server.token(['transit']),
    },
  };
});
afterAll(async () => {
  await folder[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

async function wrapped(octets: Buffer): Promise<void> {
  using master = SecretBytes.copyOf(octets);
  writeFileSync(options.wrappedFile, `${await wrapWithTransit(options, master)}\n`);
}

it('opens a key store file with a master key that rests wrapped', async () => {
  await wrapped(randomBytes(32));
  const path = folder.path('keys.ktn');
  const store = await createFileStore({ path, master: transitMasterKey(options) });
  using octets = SecretBytes.copyOf(Buffer.from('content'));
  await store.write('versions/a/b/1', octets);
  await store.close();
  const again = await openFileStore({ path, master: transitMasterKey(options) });
  using read = await again.read('versions/a/b/1');
  expect(read?.bytes.toString()).toBe('content');
  await again.close();
});

it('still opens it after the transit key was rotated', async () => {
  const octets = randomBytes(32);
  await wrapped(octets);
  await server.root({ path: 'transit/keys/keyturn/rotate', body: {} });
  using key = await transitMasterKey(options).read();
  expect(key.bytes.equals(octets)).toBe(true);
});

it('says how a key is had back whose version the transit key decrypts no more', async () => {
  await wrapped(randomBytes(32));
  await server.root({ path: 'transit/keys/keyturn/rotate', body: {} });
  const config = 'transit/keys/keyturn/config';
  const { data } = await server.root<{ data: { latest_version: number } }>({ path: 'transit/keys/keyturn' });
  await server.root({ path: config, body: { min_decryption_version: data.latest_version } });
  const fix = expect.stringContaining(`bao write ${config} min_decryption_version=1`);
  await expect(transitMasterKey(options).read()).rejects.toMatchObject({ code: 'master_key_wrong', fix });
  await server.root({ path: config, body: { min_decryption_version: 1 } });
  using key = await transitMasterKey(options).read();
  expect(key.length).toBe(32);
});

it('refuses what another key wrapped, what is no wrapped key, and a key of another length', async () => {
  await server.policy('other', POLICY.replaceAll('/keyturn"', '/other"'));
  await wrapped(randomBytes(32));
  const BAO_TOKEN = await server.token(['other']);
  const other = { ...options, key: 'other', environment: { ...options.environment, BAO_TOKEN } };
  await expect(transitMasterKey(other).read()).rejects.toMatchObject({ code: 'master_key_wrong' });
  writeFileSync(options.wrappedFile, 'vault:v1:');
  await expect(transitMasterKey(options).read()).rejects.toMatchObject({ code: 'master_key_wrong' });
  await wrapped(randomBytes(16));
  await expect(transitMasterKey(options).read()).rejects.toMatchObject({ code: 'master_key_wrong' });
});

it('says that Vault is sealed rather than that the key is wrong', async () => {
  await wrapped(randomBytes(32));
  await server.seal();
  await expect(transitMasterKey(options).read()).rejects.toMatchObject({ facts: { reason: 'sealed' } });
  await server.unseal();
});

it('describes itself by file and key', () => {
  expect(transitMasterKey(options).description).toMatch(/master\.wrapped, wrapped by Vault transit\/keys\/keyturn$/);
  expect(() => transitMasterKey({ ...options, key: '../sys' })).toThrow('not a key of the transit engine');
});
