import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import { answerObject } from '../../../src/keystore/vault/client/answer.ts';
import { connectVault } from '../../../src/keystore/vault/connect.ts';
import { openVaultStore } from '../../../src/keystore/vault/vault-store.ts';
import { OpenBao } from '../../fakes/openbao.ts';

const POLICY = readFileSync(fileURLToPath(new URL('../../../policies/vault/keyturn.hcl', import.meta.url)), 'utf8');

interface Grant {
  readonly path: string;
  readonly capabilities: readonly string[];
}

/** The paths of a policy in the one form that ours is written in. */
function grantsOf(policy: string): Grant[] {
  const found = policy.matchAll(/^path "([^"]+)" \{\n {2}capabilities = \[([^\]]+)\]\n\}$/gm);
  return [...found].map(([, path = '', list = '']) => ({ path, capabilities: list.replaceAll('"', '').split(', ') }));
}

function policyOf(grants: readonly Grant[]): string {
  return grants
    .filter(({ capabilities }) => capabilities.length > 0)
    .map(({ path, capabilities }) => `path "${path}" { capabilities = ${JSON.stringify(capabilities)} }`)
    .join('\n');
}

const GRANTS = grantsOf(POLICY);
const EACH = GRANTS.flatMap(({ path, capabilities }) => capabilities.map((capability) => ({ path, capability })));

let server: OpenBao;
beforeAll(async () => {
  server = await OpenBao.start();
});
afterAll(() => server[Symbol.asyncDispose]());

/** What every verb and every convenience of the adapter comes to under a policy. */
async function exercise(policy: string, record: string): Promise<Record<string, string>> {
  await server.policy(record.replaceAll('/', '-'), policy);
  const token = await server.token([record.replaceAll('/', '-')], { ttl: '1h', renewable: true });
  const environment = { BAO_ADDR: server.url, BAO_CACERT_BYTES: server.ca.certificatePem, BAO_TOKEN: token };
  const mirror: string[] = [];
  const onMirrorFailure = (_: string, error: Error) => void mirror.push(error.message);
  const store = await openVaultStore({ environment, onMirrorFailure });
  const outcome = (call: Promise<unknown>) =>
    call.then(
      () => 'done',
      (error: unknown) => (error instanceof Error ? error.message : 'not an error'),
    );
  try {
    using octets = SecretBytes.copyOf(Buffer.from('content'));
    const write = await outcome(store.write(record, octets));
    const read = await outcome(store.read(record).then((found) => found?.dispose()));
    const list = await outcome(store.list());
    const destroy = await outcome(store.destroy(record));
    const { missing } = await store.inspect();
    return {
      write,
      read,
      list,
      destroy,
      mirror: mirror.join(),
      missing: JSON.stringify(missing),
      ...(await alive(token)),
    };
  } finally {
    await store.close();
  }
}

/** Whether the token may be looked up and renewed, as a session does. */
async function alive(token: string): Promise<{ lookup: string; renew: string }> {
  const environment = { BAO_ADDR: server.url, BAO_CACERT_BYTES: server.ca.certificatePem, BAO_TOKEN: token };
  const { client, close } = connectVault({ environment });
  const said = async (method: 'GET' | 'POST', path: string) => {
    const answer = await client.probe({ method, path }, true);
    return `${answer.status} ${Object.keys(answerObject(answer.octets)).includes('errors')}`;
  };
  try {
    return { lookup: await said('GET', 'auth/token/lookup-self'), renew: await said('POST', 'auth/token/renew-self') };
  } finally {
    close();
  }
}

describe('the policy that operators paste', () => {
  it('is read whole by this test', () => {
    expect(GRANTS.length).toBe(POLICY.match(/^path /gm)?.length);
    expect(EACH.length).toBeGreaterThan(5);
  });

  it('is enough for every verb, and for what goes with them', async () => {
    expect(await exercise(POLICY, 'versions/all/granted')).toEqual({
      write: 'done',
      read: 'done',
      list: 'done',
      destroy: 'done',
      mirror: '',
      missing: '[]',
      lookup: '200 false',
      renew: '200 false',
    });
  });

  for (const [index, { path, capability }] of EACH.entries()) {
    it(`breaks without "${capability}" on ${path}`, async () => {
      const reduced = GRANTS.map((grant) =>
        grant.path === path ? { path, capabilities: grant.capabilities.filter((each) => each !== capability) } : grant,
      );
      const outcomes = await exercise(policyOf(reduced), `versions/without/${index}`);
      const broken = Object.entries(outcomes).filter(([, said]) => !['done', '', '[]', '200 false'].includes(said));
      expect(broken).not.toEqual([]);
      if (!path.startsWith('secret/')) return;
      // What the server does not say, the adapter does: capability and path.
      const place = path.replace('/*', '');
      expect(broken.some(([, said]) => said.includes(`"${capability}" on ${place}`))).toBe(true);
    });
  }

  it('does not let anybody overwrite a record, with or without check-and-set', async () => {
    await server.policy('keyturn', POLICY);
    const token = await server.token(['keyturn']);
    const body = { data: { base64: 'b3RoZXI=' } };
    await server.root({ path: 'secret/data/keyturn/versions/stands', body });
    await expect(server.root({ path: 'secret/data/keyturn/versions/stands', body, token })).rejects.toThrow('403');
  });
});
