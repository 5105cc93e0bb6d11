import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KeyStore } from '../../../src/keystore/keystore.ts';
import { openVaultStore } from '../../../src/keystore/vault/vault-store.ts';
import { OpenBao } from '../../fakes/openbao.ts';

const shipped = (file: string) =>
  readFileSync(fileURLToPath(new URL(`../../../policies/vault/${file}`, import.meta.url)), 'utf8');
const PATH = 'secret/data/teams/pay/lean';
const CANARY = 'canary-of-a-team-8c1f';

let server: OpenBao;
beforeAll(async () => {
  server = await OpenBao.start();
  for (const [name, file] of [
    ['keyturn', 'keyturn.hcl'],
    ['keyturn-adopt', 'keyturn-adopt.hcl'],
  ] as const) {
    await server.policy(name, shipped(file));
  }
  const fields = {
    private_key: `-----BEGIN\n"${CANARY}" é🔑`,
    certificate: 'second',
    number: 7,
    nested: { a: 'b', tls: { key: `nested ${CANARY}` } },
    json: JSON.stringify({ key: `in text ${CANARY}` }),
    empty: '',
  };
  await server.root({ path: PATH, body: { data: fields } });
  await server.root({ path: 'secret/data/other/lean', body: { data: { private_key: CANARY } } });
  await server.root({ path: 'sys/mounts/old', body: { type: 'kv', options: { version: '1' } } });
  await server.root({ path: 'old/data/lean', body: { private_key: CANARY } });
});
afterAll(() => server[Symbol.asyncDispose]());

async function opened(policies: readonly string[], adoptFrom: readonly string[] = ['secret/data/*', 'old/data/*']) {
  const environment = {
    BAO_ADDR: server.url,
    BAO_CACERT_BYTES: server.ca.certificatePem,
    BAO_TOKEN: await server.token(policies),
  };
  return new KeyStore('vault-eu', await openVaultStore({ environment }), { adoptFrom });
}

const BOTH = ['keyturn', 'keyturn-adopt'];

/** What a refusal says, every word of it. */
async function refusal(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'done',
    (error: { code: string; message: string; fix?: string; facts: object }) =>
      `${error.code}: ${error.message} ${error.fix ?? ''} ${JSON.stringify(error.facts)}`,
  );
}

describe('a secret of others', () => {
  it('is read by path and field, as octets, with its version', async () => {
    const store = await opened(BOTH);
    using secret = await store.readForeign(PATH);
    expect(secret.version).toBe('1');
    expect(secret.octets('private_key').bytes.toString()).toBe(`-----BEGIN\n"${CANARY}" é🔑`);
    expect(secret.octets('nested.tls.key').bytes.toString()).toBe(`nested ${CANARY}`);
    expect(secret.octets('json.key').bytes.toString()).toBe(`in text ${CANARY}`);
    await store.close();
  });

  it('that has no such field names those it has, and no value', async () => {
    const store = await opened(BOTH);
    using secret = await store.readForeign(PATH);
    const said = await refusal((async () => secret.octets('privatekey'))());
    expect(said).toContain(
      'Its fields: certificate, empty, json, json.key, nested.a, nested.tls.key, number, private_key.',
    );
    for (const field of ['number', 'nested', 'empty', null]) {
      expect(await refusal((async () => secret.octets(field))())).toContain('not_found');
    }
    expect(said).not.toContain(CANARY);
    await store.close();
  });

  it('is wiped when it is disposed of', async () => {
    const store = await opened(BOTH);
    const secret = await store.readForeign(PATH);
    const { bytes } = secret.octets('private_key');
    secret[Symbol.dispose]();
    expect(bytes.equals(Buffer.alloc(bytes.length))).toBe(true);
    await store.close();
  });
});

describe('the policy that operators paste beside the other', () => {
  it('is needed: without it the refusal names path and capability, and the file to apply', async () => {
    const store = await opened(['keyturn']);
    const said = await refusal(store.readForeign(PATH));
    expect(said).toContain(`"read" on ${PATH}`);
    expect(said).toContain('policies/vault/keyturn-adopt.hcl');
    await store.close();
  });

  it('grants one capability on one folder: nothing else is read, and nothing listed, changed or deleted', async () => {
    expect(shipped('keyturn-adopt.hcl').match(/^path .*\{\n {2}capabilities = .*\n\}$/gm)).toEqual([
      'path "secret/data/teams/*" {\n  capabilities = ["read"]\n}',
    ]);
    const store = await opened(BOTH);
    expect(await refusal(store.readForeign('secret/data/other/lean'))).toContain('"read" on secret/data/other/lean');
    const token = await server.token(BOTH);
    const body = { data: { private_key: 'mine' } };
    for (const call of [
      { path: PATH, body },
      { path: PATH, method: 'DELETE' },
      { path: 'secret/metadata/teams/pay/lean', method: 'DELETE' },
      { path: 'secret/metadata/teams?list=true' },
    ]) {
      await expect(server.root({ ...call, token })).rejects.toThrow('403');
    }
    await store.close();
  });
});

describe('refused', () => {
  it.each([
    [
      'a path that the configuration does not name',
      'secret/data/teams/pay/lean',
      ['secret/data/other/*'],
      'permission_denied',
    ],
    ['a record of our own', 'secret/data/keyturn/versions/lean/sandbox/1', ['secret/data/*'], "Keyturn's own prefix"],
    ['a path without /data/', 'secret/teams/pay/lean', ['secret/*'], 'MOUNT/data/NAME'],
    ['a path that climbs', 'secret/data/teams/../keyturn/x', ['secret/data/teams/*'], 'permission_denied'],
    ['what is not there', 'secret/data/teams/pay/absent', ['secret/data/*'], 'not_found'],
  ] as const)('%s', async (_what, path, adoptFrom, said) => {
    const store = await opened(BOTH, adoptFrom);
    expect(await refusal(store.readForeign(path))).toContain(said);
    await store.close();
  });

  it('a KV version 1 engine, whatever its paths look like', async () => {
    await server.policy('old', 'path "old/*" { capabilities = ["read"] }');
    const store = await opened([...BOTH, 'old']);
    const said = await refusal(store.readForeign('old/data/lean'));
    expect(said).toContain('not KV version 2');
    expect(said).not.toContain(CANARY);
    await store.close();
  });

  it('a version that was deleted', async () => {
    await server.root({ path: 'secret/data/teams/pay/gone', body: { data: { private_key: CANARY } } });
    await server.root({ path: 'secret/data/teams/pay/gone', method: 'DELETE' });
    const store = await opened(BOTH);
    expect(await refusal(store.readForeign('secret/data/teams/pay/gone'))).toContain('not_found');
    await store.close();
  });
});
