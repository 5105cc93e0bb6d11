import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { examineVault } from '../../../../src/keystore/vault/examine/examine.ts';
import type { VaultStoreOptions } from '../../../../src/keystore/vault/options.ts';
import { openVaultStore } from '../../../../src/keystore/vault/vault-store.ts';
import { OpenBao } from '../../../fakes/openbao.ts';
import { type Folder, folderWith } from '../../../fakes/programs.ts';
import { put } from '../../aws/stage.ts';

const POLICY = readFileSync(fileURLToPath(new URL('../../../../policies/vault/keyturn.hcl', import.meta.url)), 'utf8');

let server: OpenBao;
let plain: Server;
let folder: Folder;
let token: string;
let roleId: string;
let secretId: string;

beforeAll(async () => {
  server = await OpenBao.start();
  plain = createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
  await server.policy('keyturn', POLICY);
  token = await server.token(['keyturn']);
  await server.root({ path: 'sys/auth/approle', body: { type: 'approle' } });
  const role = 'auth/approle/role/keyturn';
  await server.root({ path: role, body: { token_policies: ['keyturn'], token_no_default_policy: true } });
  roleId = (await server.root<{ data: { role_id: string } }>({ path: `${role}/role-id` })).data.role_id;
  const made = { path: `${role}/secret-id`, body: {} };
  secretId = (await server.root<{ data: { secret_id: string } }>(made)).data.secret_id;
  const headers = { 'X-Vault-Wrap-TTL': '60' };
  const wrapped = (await server.root<{ wrap_info: { token: string } }>({ ...made, headers })).wrap_info.token;
  const other = '00000000-0000-4000-8000-000000000000';
  folder = await folderWith({ 'secret-id': secretId, wrapped, other });
});
afterAll(async () => {
  plain.close();
  await folder[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

/** The last complaint of doctor, evidence and fix, for these variables and options. */
async function last(variables: Readonly<Record<string, string>>, options: VaultStoreOptions = {}): Promise<string> {
  const environment = {
    BAO_ADDR: server.url,
    BAO_CACERT_BYTES: server.ca.certificatePem,
    BAO_TOKEN: token,
    ...variables,
  };
  const found = await examineVault({ timeoutMs: 2_000, maxRetries: 0, ...options, environment });
  expect(JSON.stringify(found)).not.toContain(secretId);
  expect(JSON.stringify(found)).not.toContain('..');
  const told = found.findLast(({ verdict }) => verdict !== 'ok');
  return told === undefined ? 'all is well' : `${told.verdict} ${told.name}: ${told.evidence} -> ${told.fix}`;
}

const approle = (file: string, more: object = {}): VaultStoreOptions => ({
  login: { method: 'approle', roleId, secretIdFile: folder.path(file), ...more },
});

it('an address that is not reached is named, with the command that looks it up', async () => {
  expect(await last({ BAO_ADDR: 'https://vault.invalid:8200' })).toMatch(
    /^broken server: Vault can't be reached \((?:ENOTFOUND|EAI_AGAIN)\)\..*getent hosts vault\.invalid$/,
  );
  expect(await last({ BAO_ADDR: 'https://127.0.0.1:1' })).toContain('Nobody listens at 127.0.0.1:1:');
  const mute = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void mute.close());
  const place = `127.0.0.1:${(mute.address() as AddressInfo).port}`;
  expect(await last({ BAO_ADDR: `http://${place}` })).toContain(`runs: curl -v http://${place}/v1/sys/health`);
  expect(await last({ BAO_ADDR: `https://${place}` })).toContain(`runs: curl -kv https://${place}/v1/sys/health`);
});

it.each([
  ['vault.internal:8200', 'export BAO_ADDR=https://vault.internal:8200'],
  ['https://vault.internal:8200/v1', 'export BAO_ADDR=https://vault.internal:8200'],
  ['http://vault.internal:8200', 'export BAO_ADDR=https://vault.internal:8200'],
  ['vault internal', 'Write it as https://vault.example:8200'],
])('an address that is none, %s, is told as it has to be', async (BAO_ADDR, fix) => {
  expect(await last({ BAO_ADDR })).toMatch(/^broken settings: BAO_ADDR /);
  expect(await last({ BAO_ADDR })).toContain(fix);
});

it('an address in keyturn.yaml that is none is told by its place there', async () => {
  const said = await last({}, { address: 'https://vault.internal:8200/v1' });
  expect(said).toContain('address in keyturn.yaml is not the address of a Vault server');
  expect(said).toContain('https://vault.internal:8200, without a path');
});

it('plain http to a server of TLS, and TLS to one that has none, are told apart from anything else', async () => {
  expect(await last({ BAO_ADDR: server.url.replace('https', 'http') })).toMatch(
    /^broken server: The server speaks TLS, and the address is plain http.*https:\/\//,
  );
  const { port } = plain.address() as { port: number };
  expect(await last({ BAO_ADDR: `https://127.0.0.1:${port}` })).toMatch(
    new RegExp(
      `^broken server: What listens at 127\\.0\\.0\\.1:${port} does not speak TLS.*openssl s_client -connect 127\\.0\\.0\\.1:${port}`,
    ),
  );
});

it('a certificate of another name is told with the names that it has', async () => {
  const said = await last({ BAO_TLS_SERVER_NAME: 'vault.example' });
  expect(said).toContain('is for localhost, 127.0.0.1, not for vault.example');
  expect(said).toContain('tls.server-name');
});

it('a token that is refused is replaced by one command in this shell', async () => {
  expect(await last({ BAO_TOKEN: 'hvs.nobody' })).toContain(
    'export BAO_TOKEN="$(bao token create -policy=keyturn -field=token)"',
  );
});

it('a token of another namespace is told as such: its policies count where they are written', async () => {
  await server.root({ path: 'sys/namespaces/team-a', body: {} });
  const said = await last({ BAO_NAMESPACE: 'team-a' });
  expect(said).toMatch(/^broken mount: .*the token is of the root namespace, and the store in the namespace team-a/);
  expect(said).toContain('bao token create -namespace=team-a -policy=keyturn');
});

it('an engine that is no KV at all is not told to be made version 2', async () => {
  await server.root({ path: 'sys/mounts/tr', body: { type: 'transit' } });
  await server.policy('tr', POLICY.replaceAll('secret/', 'tr/'));
  const said = await last({ BAO_TOKEN: await server.token(['tr']) }, { mount: 'tr' });
  expect(said).toMatch(/^broken mount: tr\/ is an engine of the kind transit, not KV version 2/);
  expect(said).toContain('bao secrets enable -path=keyturn -version=2 kv');
  expect(said).not.toContain('enable-versioning');
});

it('an AppRole: a wrong secret ID, a wrong role ID, no such method, and addresses that it is bound to', async () => {
  const unknown = /^broken login: Vault knows no such secret ID for this role-id.*bao list auth\/approle\/role/;
  expect(await last({}, approle('other'))).toMatch(unknown);
  expect(await last({}, approle('secret-id', { roleId: 'nobody' }))).toMatch(unknown);
  const mount = await last({}, approle('secret-id', { mount: 'approle-eu' }));
  expect(mount).toMatch(/^broken login: Vault refused the login by approle at auth\/approle-eu/);
  expect(mount).toContain('Or nothing is enabled there: bao auth list');
  const role = { token_policies: ['keyturn'], token_bound_cidrs: ['10.0.0.0/8'] };
  await server.root({ path: 'auth/approle/role/keyturn', body: role });
  expect(await last({}, approle('secret-id'))).toMatch(/^broken login: .*token_bound_cidrs/);
  await server.root({ path: 'auth/approle/role/keyturn', body: { ...role, token_bound_cidrs: [] } });
});

it('a wrapping token that is taken for a secret ID, and the other way about', async () => {
  expect(await last({}, approle('wrapped'))).toMatch(
    /^broken login: .*wrapped holds a wrapping token, not a secret ID.*wrapped: true/,
  );
  expect(await last({}, approle('secret-id', { wrapped: true }))).toMatch(
    /^broken login: .*secret-id holds a secret ID, not a wrapping token.*-wrap-ttl=5m/,
  );
});

it('a login by certificate without a certificate', async () => {
  expect(await last({}, { login: { method: 'certificate' } })).toMatch(
    /^broken settings: .*tls\.certificate and tls\.key/,
  );
});

it('a mount that deletes by itself is told the command that stops it', async () => {
  await server.root({ path: 'secret/config', body: { delete_version_after: '24h' } });
  const environment = { BAO_ADDR: server.url, BAO_CACERT_BYTES: server.ca.certificatePem, BAO_TOKEN: token };
  const store = await openVaultStore({ environment });
  await expect(put(store, 'versions/a/1', 'x')).rejects.toMatchObject({
    code: 'keystore_insecure',
    fix: 'Keys must not vanish: bao write secret/config delete_version_after=0s',
  });
  await store.close();
  await server.root({ path: 'secret/config', body: { delete_version_after: '0s' } });
});
