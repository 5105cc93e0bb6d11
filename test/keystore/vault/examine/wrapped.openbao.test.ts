import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectVault } from '../../../../src/keystore/vault/connect.ts';
import { examineTransit, examineVault } from '../../../../src/keystore/vault/examine/examine.ts';
import type { VaultConnection } from '../../../../src/keystore/vault/options.ts';
import { OpenBao } from '../../../fakes/openbao.ts';
import { type Folder, folderWith } from '../../../fakes/programs.ts';

let server: OpenBao;
let folder: Folder;

beforeAll(async () => {
  server = await OpenBao.start();
  folder = await folderWith({});
  await server.policy('self', 'path "auth/token/lookup-self" { capabilities = ["read"] }');
  await server.root({ path: 'sys/auth/approle', body: { type: 'approle' } });
  const role = { token_policies: ['self'], token_no_default_policy: true };
  await server.root({ path: 'auth/approle/role/keyturn', body: role });
  await server.root({ path: 'auth/approle/role/keyturn/role-id', body: { role_id: 'keyturn' } });
});
afterAll(async () => {
  await folder[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

/** A connection whose login opens a wrapping token of its own, in the file of that name. */
async function wrapped(name: string): Promise<VaultConnection> {
  const path = 'auth/approle/role/keyturn/secret-id';
  const headers = { 'X-Vault-Wrap-TTL': '300s' };
  const { wrap_info } = await server.root<{ wrap_info: { token: string } }>({ path, body: {}, headers });
  const secretIdFile = folder.path(name);
  writeFileSync(secretIdFile, `${wrap_info.token}\n`, { mode: 0o600 });
  const environment = { BAO_ADDR: server.url, BAO_CACERT_BYTES: server.ca.certificatePem };
  return { environment, maxRetries: 0, login: { method: 'approle', roleId: 'keyturn', secretIdFile, wrapped: true } };
}

async function logIn(connection: VaultConnection): Promise<number> {
  const { client, close } = connectVault(connection);
  try {
    return (await client.ask({ method: 'GET', path: 'auth/token/lookup-self' })).status;
  } finally {
    close();
  }
}

it('doctor does not open a wrapped secret ID: the server, which starts afterwards, still can', async () => {
  const connection = await wrapped('fresh');
  const found = await examineVault(connection);
  expect(found.at(-1)).toMatchObject({ name: 'login', verdict: 'ok' });
  expect(found.at(-1)?.evidence).toMatch(/is left unopened.*(?:299|300) s left/);
  const transit = { ...connection, key: 'keyturn', wrappedFile: folder.path('wrapped-key') };
  expect((await examineTransit(transit)).at(-1)).toMatchObject({ name: 'login', verdict: 'ok' });
  expect(await logIn(connection)).toBe(200);
});

it('a secret ID that the server has opened is no fault: doctor says what the next start needs', async () => {
  const connection = await wrapped('opened');
  await logIn(connection);
  const [found, ...more] = (await examineVault(connection)).filter(({ verdict }) => verdict !== 'ok');
  expect(more).toEqual([]);
  expect(found).toMatchObject({ name: 'login', verdict: 'attention' });
  expect(found?.evidence).toContain('opened or expired');
  expect(found?.fix).toContain('-wrap-ttl=');
});

it('several connections of one process, to which the same file was given, open it once', async () => {
  const connection = await wrapped('shared');
  expect(await Promise.all([logIn(connection), logIn(connection)])).toEqual([200, 200]);
  expect(await logIn(connection)).toBe(200);
});
