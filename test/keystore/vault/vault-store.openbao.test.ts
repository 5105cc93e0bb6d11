import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import type { VaultStoreOptions } from '../../../src/keystore/vault/options.ts';
import { openVaultStore, type VaultStore } from '../../../src/keystore/vault/vault-store.ts';
import { delaying, FaultProxy, hanging, only } from '../../fakes/openbao/fault-proxy.ts';
import { OpenBao } from '../../fakes/openbao.ts';

const NAME = 'versions/lean/sandbox/1';

let server: OpenBao;
beforeAll(async () => {
  server = await OpenBao.start();
});
afterAll(() => server[Symbol.asyncDispose]());

function open(options: VaultStoreOptions, address = server.url): Promise<VaultStore> {
  const environment = { BAO_ADDR: address, BAO_CACERT_BYTES: server.ca.certificatePem, BAO_TOKEN: server.rootToken };
  return openVaultStore({ environment, ...options });
}

async function put(store: VaultStore, name = NAME, content = 'content'): Promise<void> {
  using octets = SecretBytes.copyOf(Buffer.from(content));
  await store.write(name, octets);
}

describe('a record in Vault', () => {
  it('carries its name and time for people, in metadata that is never read', async () => {
    const store = await open({ prefix: 'mirror' });
    await put(store);
    const path = `secret/metadata/mirror/${NAME}`;
    const { data } = await server.root<{ data: { custom_metadata: Record<string, string> } }>({ path });
    expect(data.custom_metadata['keyturn_record']).toBe(NAME);
    expect(data.custom_metadata['keyturn_written_at']).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
    await server.root({ path, body: { custom_metadata: { keyturn_record: 'a/lie' } } });
    expect(await store.list()).toEqual([NAME]);
    await store.close();
  });

  it('that somebody deleted softly is neither there nor gone, and is not written over', async () => {
    const store = await open({ prefix: 'soft' });
    await put(store);
    await server.root({ path: `secret/data/soft/${NAME}`, method: 'DELETE' });
    await expect(store.read(NAME)).rejects.toMatchObject({ code: 'keystore_corrupt' });
    await expect(put(store)).rejects.toMatchObject({ code: 'keystore_corrupt' });
    await store.destroy(NAME);
    expect(await store.read(NAME)).toBeNull();
    await store.close();
  });

  it('that somebody else wrote is refused, and named', async () => {
    const store = await open({ prefix: 'foreign' });
    await server.root({ path: `secret/data/foreign/${NAME}`, body: { data: { password: 'hunter2' } } });
    const refused = await store.read(NAME).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'keystore_corrupt', message: expect.stringContaining(NAME) });
    expect(inspect(refused)).not.toContain('hunter2');
    await store.close();
  });

  it('is refused where the mount deletes by itself', async () => {
    await server.root({ path: 'sys/mounts/fading', body: { type: 'kv', options: { version: '2' } } });
    await server.root({ path: 'fading/config', body: { delete_version_after: '1h' } });
    const store = await open({ mount: 'fading' });
    await expect(put(store)).rejects.toMatchObject({ code: 'keystore_insecure' });
    await store.close();
  });

  it('lies in its namespace, and in no other', async () => {
    await server.root({ path: 'sys/namespaces/team', body: {} });
    const body = { type: 'kv', options: { version: '2' } };
    await server.root({ path: 'sys/mounts/secret', body, namespace: 'team' });
    const inside = await open({ namespace: 'team' });
    const outside = await open({});
    await put(inside);
    expect(await inside.health()).toEqual({ ready: true, detail: '' });
    expect([await inside.list(), await outside.list()]).toEqual([[NAME], []]);
    await Promise.all([inside.close(), outside.close()]);
  });

  it('is listed without what is not ours beside it', async () => {
    const store = await open({ prefix: 'beside' });
    await put(store);
    await server.root({ path: 'secret/data/beside/Notes of OPS', body: { data: {} } }).catch(() => {});
    await server.root({ path: 'secret/data/beside/README', body: { data: { a: 'b' } } });
    await server.root({ path: 'secret/data/beside/UPPER/x', body: { data: { a: 'b' } } });
    expect(await store.list()).toEqual([NAME]);
    await store.close();
  });
});

describe('the adapter of Vault', () => {
  it('opens while the server is down, says so, and works when it comes', async () => {
    await server.seal();
    const store = await open({ prefix: 'later', breakMs: 1 });
    expect(await store.health()).toEqual({ ready: false, detail: 'Vault is sealed. Run: bao operator unseal' });
    await expect(put(store)).rejects.toMatchObject({ facts: { reason: 'sealed' } });
    await server.unseal();
    await put(store);
    expect(await store.health()).toEqual({ ready: true, detail: '' });
    await store.close();
  });

  it('opens its circuit before a server that hangs, and answers at once then', async () => {
    const { url: upstream, ca } = server;
    await using proxy = await FaultProxy.start({ server: await ca.server(), upstream, ca: ca.certificatePem });
    proxy.fault = only(['GET'], /\/data\//, hanging);
    const circuits: string[] = [];
    const store = await open({ timeoutMs: 50, maxRetries: 0, onCircuit: (each) => circuits.push(each) }, proxy.url);
    for (let failure = 0; failure < 5; failure += 1) await expect(store.read(NAME)).rejects.toThrow('in time');
    await expect(store.read(NAME)).rejects.toMatchObject({ facts: { reason: 'circuit_open' } });
    expect([store.circuit, circuits]).toEqual(['open', ['open']]);
    await store.close();
  });

  it('is ready before a server that is slow, as long as an attempt waits for an answer', async () => {
    const { url: upstream, ca } = server;
    await using proxy = await FaultProxy.start({ server: await ca.server(), upstream, ca: ca.certificatePem });
    proxy.fault = delaying(1_000);
    const slow = await open({ maxRetries: 0 }, proxy.url);
    expect(await slow.health()).toEqual({ ready: true, detail: '' });
    await slow.close();
    const hasty = await open({ timeoutMs: 300, maxRetries: 0 }, proxy.url);
    expect(await hasty.health()).toMatchObject({ ready: false, detail: expect.stringContaining('in time') });
    await hasty.close();
  });

  it('sends nothing that node-vault would take from the environment by itself', async () => {
    const { url: upstream, ca } = server;
    await using proxy = await FaultProxy.start({ server: await ca.server(), upstream, ca: ca.certificatePem });
    for (const name of ['TOKEN', 'NAMESPACE', 'PREFIX', 'ADDR']) process.env[`VAULT_${name}`] = '/ambient';
    try {
      const store = await open({ prefix: 'surroundings' }, proxy.url);
      expect(await store.health()).toEqual({ ready: true, detail: '' });
      await put(store);
      await store.close();
      expect(new Set(proxy.tokens)).toEqual(new Set(['', server.rootToken]));
      expect(proxy.seen.filter((path) => path.includes('ambient'))).toEqual([]);
    } finally {
      for (const name of ['TOKEN', 'NAMESPACE', 'PREFIX', 'ADDR']) delete process.env[`VAULT_${name}`];
    }
  });

  it('tells doctor where each value comes from, and nothing secret', async () => {
    const store = await open({ prefix: 'doctor' });
    const inspection = await store.inspect();
    expect(inspection.settings.address.source).toBe('BAO_ADDR');
    expect([inspection.login, inspection.circuit, inspection.missing]).toEqual(['token from BAO_TOKEN', 'closed', []]);
    expect(inspect(inspection, { depth: 9 })).not.toContain(server.rootToken);
    await store.close();
  });

  it('refuses a mount or prefix that would lead elsewhere', async () => {
    for (const options of [
      { mount: '../sys' },
      { prefix: 'a//b' },
      { prefix: '/a' },
      { mount: 'a?b' },
      { prefix: 'a/..' },
    ]) {
      await expect(open(options)).rejects.toMatchObject({ code: 'config_invalid' });
    }
  });
});
