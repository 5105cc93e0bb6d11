import { createPublicKey } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectVault, type VaultLink } from '../../../../src/keystore/vault/connect.ts';
import type { VaultConnection } from '../../../../src/keystore/vault/options.ts';
import { OpenBao } from '../../../fakes/openbao.ts';
import { type Folder, folderWith } from '../../../fakes/programs.ts';
import { signedToken } from './signed-token.ts';

const POLICY = 'path "auth/token/lookup-self" { capabilities = ["read"] }';

let server: OpenBao;
let folder: Folder;

beforeAll(async () => {
  server = await OpenBao.start();
  folder = await folderWith({});
  await server.policy('self', POLICY);
  for (const type of ['approle', 'jwt', 'cert', 'kubernetes']) {
    await server.root({ path: `sys/auth/${type}`, body: { type } });
  }
});
afterAll(async () => {
  await folder[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

function link(login: VaultConnection['login'], more: Partial<VaultConnection> = {}): VaultLink {
  const environment = { BAO_ADDR: server.url, BAO_CACERT_BYTES: server.ca.certificatePem, HOME: folder.path('.') };
  return connectVault({ environment, maxRetries: 0, ...(login === undefined ? {} : { login }), ...more });
}

/** Whom the session is for the server, or why it has none. */
async function whoAmI({ client, close }: VaultLink): Promise<string> {
  try {
    const { octets } = await client.ask({ method: 'GET', path: 'auth/token/lookup-self' });
    return /"path":"([^"]+)"/.exec(octets.toString())?.[1] ?? 'nobody';
  } finally {
    close();
  }
}

function file(name: string, content: string): string {
  const path = folder.path(name);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

it('logs in by a token file, and reads it again when its token is refused', async () => {
  const first = await server.token(['self']);
  const path = file('sink', `${first}\n`);
  const linked = link({ method: 'token_file', file: path });
  await linked.client.ask({ method: 'GET', path: 'auth/token/lookup-self' });
  await server.root({ path: 'auth/token/revoke', body: { token: first } });
  file('sink', await server.token(['self']));
  expect(await whoAmI(linked)).toBe('auth/token/create');
});

it('logs in by the token that "bao login" left at home', async () => {
  file('.vault-token', await server.token(['self']));
  expect(await whoAmI(link(undefined))).toBe('auth/token/create');
});

async function approle(): Promise<{ roleId: string; wrapped: boolean; issue: (wrap: boolean) => Promise<string> }> {
  const role = 'auth/approle/role/keyturn';
  await server.root({ path: role, body: { token_policies: ['self'], token_ttl: '1h' } });
  const { data } = await server.root<{ data: { role_id: string } }>({ path: `${role}/role-id` });
  const issue = async (wrap: boolean) => {
    const made = await server.root<{ data: { secret_id: string } | null; wrap_info: { token: string } | null }>({
      path: `${role}/secret-id`,
      body: {},
      ...(wrap ? { headers: { 'X-Vault-Wrap-TTL': '60' } } : {}),
    });
    return made.wrap_info?.token ?? made.data?.secret_id ?? '';
  };
  return { roleId: data.role_id, wrapped: true, issue };
}

it('logs in by AppRole', async () => {
  const { roleId, issue } = await approle();
  const secretIdFile = file('secret-id', await issue(false));
  expect(await whoAmI(link({ method: 'approle', roleId, secretIdFile }))).toBe('auth/approle/login');
});

it('opens a wrapped secret ID once, and says so when somebody was first', async () => {
  const { roleId, issue } = await approle();
  const login = { method: 'approle', roleId, secretIdFile: file('wrapped', await issue(true)), wrapped: true } as const;
  expect(await whoAmI(link(login))).toBe('auth/approle/login');
  const taken = await issue(true);
  await server.root({ path: 'sys/wrapping/unwrap', body: {}, token: taken });
  file('wrapped', taken);
  await expect(whoAmI(link(login))).rejects.toMatchObject({ code: 'keystore_unavailable', facts: { reason: 'login' } });
  await expect(whoAmI(link(login))).rejects.toThrow('somebody has opened it before');
});

it('does not open a wrapping token that comes from elsewhere than a secret ID', async () => {
  const { roleId } = await approle();
  const made = await server.root<{ wrap_info: { token: string } }>({
    path: 'sys/wrapping/wrap',
    body: { secret_id: 'planted' },
    headers: { 'X-Vault-Wrap-TTL': '60' },
  });
  const secretIdFile = file('planted', made.wrap_info.token);
  const login = { method: 'approle', roleId, secretIdFile, wrapped: true } as const;
  await expect(whoAmI(link(login))).rejects.toThrow('can not be opened');
});

it('logs in by a signed token, read anew at each login', async () => {
  const { privateKey, keyPem } = await server.ca.issue({ key: 'ec-p256' });
  const publicPem = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' });
  await server.root({ path: 'auth/jwt/config', body: { jwt_validation_pubkeys: [publicPem] } });
  await server.root({
    path: 'auth/jwt/role/keyturn',
    body: { role_type: 'jwt', user_claim: 'sub', bound_audiences: ['vault'], token_policies: ['self'] },
  });
  const jwt = (audience: string) => signedToken(keyPem, { sub: 'me', aud: audience });
  const login = { method: 'jwt', role: 'keyturn', tokenFile: file('jwt', jwt('elsewhere')) } as const;
  const linked = link(login);
  const refused = linked.client.ask({ method: 'GET', path: 'auth/token/lookup-self' });
  await expect(refused).rejects.toMatchObject({ facts: { reason: 'login' } });
  file('jwt', jwt('vault'));
  expect(await whoAmI(linked)).toBe('auth/jwt/login');
});

it('logs in by the TLS certificate of its connection', async () => {
  const identity = await server.ca.client({ commonName: 'keyturn.example' });
  const role = {
    certificate: server.ca.certificatePem,
    allowed_common_names: ['keyturn.example'],
    token_policies: ['self'],
  };
  await server.root({ path: 'auth/cert/certs/keyturn', body: role });
  const tls = {
    clientCertificateFile: file('client.crt', identity.certificatePem),
    clientKeyFile: file('client.key', identity.keyPem),
  };
  expect(await whoAmI(link({ method: 'certificate', role: 'keyturn' }, { tls }))).toBe('auth/cert/login');
  const other = await server.ca.client({ commonName: 'other.example' });
  const others = {
    clientCertificateFile: file('other.crt', other.certificatePem),
    clientKeyFile: file('other.key', other.keyPem),
  };
  await expect(whoAmI(link({ method: 'certificate', role: 'keyturn' }, { tls: others }))).rejects.toMatchObject({
    facts: { reason: 'login' },
  });
  expect(() => link({ method: 'certificate', role: 'keyturn' })).toThrow('the connection has none');
});

it('logs in by a Kubernetes service account, which the server has reviewed', async () => {
  const { keyPem: key, certificatePem: cert } = await server.ca.server();
  const reviewer = createServer({ key, cert }, (request, response) => {
    request.resume();
    const user = { username: 'system:serviceaccount:prod:keyturn', uid: '1' };
    const status = { authenticated: true, user, audiences: ['https://kubernetes.default.svc.cluster.local'] };
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', status };
    response.writeHead(201, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
  }).listen(0, '127.0.0.1');
  await once(reviewer, 'listening');
  const { port } = reviewer.address() as AddressInfo;
  await server.root({
    path: 'auth/kubernetes/config',
    body: {
      kubernetes_host: `https://127.0.0.1:${port}`,
      kubernetes_ca_cert: server.ca.certificatePem,
      token_reviewer_jwt: 'a.b.c',
    },
  });
  await server.root({
    path: 'auth/kubernetes/role/keyturn',
    body: {
      bound_service_account_names: ['keyturn'],
      bound_service_account_namespaces: ['prod'],
      token_policies: ['self'],
      audience: 'https://kubernetes.default.svc.cluster.local',
    },
  });
  const { keyPem } = await server.ca.issue({ key: 'ec-p256' });
  const jwt = signedToken(keyPem, {
    iss: 'kubernetes/serviceaccount',
    sub: 'system:serviceaccount:prod:keyturn',
    aud: ['https://kubernetes.default.svc.cluster.local'],
    'kubernetes.io': { namespace: 'prod', serviceaccount: { name: 'keyturn', uid: '1' } },
  });
  const login = { method: 'kubernetes', role: 'keyturn', tokenFile: file('projected', jwt) } as const;
  expect(await whoAmI(link(login))).toBe('auth/kubernetes/login');
  reviewer.close();
  reviewer.closeAllConnections();
});

it('logs in once for many requests at the same time, and again when the token is refused', async () => {
  const { roleId, issue } = await approle();
  const secretIdFile = file('again', await issue(false));
  const linked = link({ method: 'approle', roleId, secretIdFile });
  const ask = () => linked.client.ask({ method: 'GET', path: 'auth/token/lookup-self' });
  const accessors = (await Promise.all([ask(), ask(), ask()])).map(({ octets }) => accessorIn(octets));
  expect(new Set(accessors).size).toBe(1);
  await server.root({ path: 'auth/token/revoke-accessor', body: { accessor: accessors[0] } });
  expect(accessorIn((await ask()).octets)).not.toBe(accessors[0]);
  linked.close();
});

function accessorIn(octets: Buffer): string {
  return /"accessor":"([^"]+)"/.exec(octets.toString())?.[1] ?? '';
}

it('says which file it could not read, and nothing of what is in it', async () => {
  await expect(whoAmI(link({ method: 'token_file', file: folder.path('none') }))).rejects.toMatchObject({
    code: 'config_invalid',
    message: expect.stringContaining('none'),
  });
  const path = file('prose', 'two words\nand lines');
  chmodSync(path, 0o600);
  const refused = await whoAmI(link({ method: 'token_file', file: path })).catch((error: unknown) => String(error));
  expect(refused).not.toContain('two words');
});
