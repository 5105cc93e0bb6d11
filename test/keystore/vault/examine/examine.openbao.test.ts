import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Check } from '../../../../src/core/check.ts';
import { KeyStore } from '../../../../src/keystore/keystore.ts';
import { tryRecord } from '../../../../src/keystore/probe-record.ts';
import { examineVault } from '../../../../src/keystore/vault/examine/examine.ts';
import type { VaultStoreOptions } from '../../../../src/keystore/vault/options.ts';
import { openVaultStore } from '../../../../src/keystore/vault/vault-store.ts';
import { daysFromNow, TestCa } from '../../../fakes/ca.ts';
import { startOpenBaoCluster } from '../../../fakes/openbao/cluster.ts';
import { answering, answeringWith, type Fault, FaultProxy, hanging, only } from '../../../fakes/openbao/fault-proxy.ts';
import { OpenBaoProcess } from '../../../fakes/openbao/process.ts';
import { OpenBao } from '../../../fakes/openbao.ts';
import { type Folder, folderWith } from '../../../fakes/programs.ts';

const POLICY = readFileSync(fileURLToPath(new URL('../../../../policies/vault/keyturn.hcl', import.meta.url)), 'utf8');
/** Shows nowhere, whatever is wrong. */
const SECRET_ID = 'canary-secret-id-9f86d081884c7d65';

let server: OpenBao;
let otherCa: TestCa;
let proxy: FaultProxy;
let expired: FaultProxy;
let folder: Folder;
let token: string;
const secrets: string[] = [SECRET_ID];

beforeAll(async () => {
  [server, otherCa] = await Promise.all([OpenBao.start(), TestCa.create()]);
  const upstream = { upstream: server.url, ca: server.ca.certificatePem };
  proxy = await FaultProxy.start({ server: await server.ca.server(), ...upstream });
  const past = { notBefore: daysFromNow(-9), notAfter: daysFromNow(-1) };
  expired = await FaultProxy.start({ server: await server.ca.server(past), ...upstream });
  folder = await folderWith({ 'secret-id': `${SECRET_ID}\n`, 'two-lines': 'one\ntwo\n', ca: server.ca.certificatePem });
  await server.policy('keyturn', POLICY);
  token = await made(['keyturn']);
  secrets.push(server.rootToken);
});
afterAll(async () => {
  await Promise.all([proxy, expired, folder].map((each) => each[Symbol.asyncDispose]()));
  await server[Symbol.asyncDispose]();
});
beforeEach(() => {
  proxy.fault = null;
});

/** A token that shows nowhere. */
async function made(policies: readonly string[], options: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const one = await server.token(policies, { ttl: '1h', renewable: true, ...options });
  secrets.push(one);
  return one;
}

/** As the environment of a shell names it. */
function by(variables: Readonly<Record<string, string>> = {}, options: VaultStoreOptions = {}): VaultStoreOptions {
  const { ca, url } = { ca: server.ca.certificatePem, url: server.url };
  return {
    timeoutMs: 2_000,
    ...options,
    environment: { BAO_ADDR: url, BAO_CACERT_BYTES: ca, BAO_TOKEN: token, ...variables },
  };
}

async function examined(options: VaultStoreOptions): Promise<Check[]> {
  const found = await examineVault(options);
  const told = JSON.stringify(found);
  for (const secret of secrets) expect(told).not.toContain(secret);
  for (const { verdict, evidence, fix } of found) {
    expect(evidence).toMatch(/\S/);
    expect(evidence).not.toContain('\n');
    expect(fix === '').toBe(verdict === 'ok');
    expect(fix).not.toContain('\n');
  }
  return found;
}

/** What is not well. */
async function complaints(options: VaultStoreOptions): Promise<Check[]> {
  return (await examined(options)).filter(({ verdict }) => verdict !== 'ok');
}

const broken = (name: string, evidence: string | RegExp, fix: string | RegExp) => [
  { name, verdict: 'broken', evidence: expect.stringMatching(evidence), fix: expect.stringMatching(fix) },
];
const attention = (name: string, evidence: string | RegExp, fix: string | RegExp) => [
  { name, verdict: 'attention', evidence: expect.stringMatching(evidence), fix: expect.stringMatching(fix) },
];

it('a store that works is well in every respect, and nothing was written', async () => {
  const found = await examined(by());
  expect(found.map(({ name, verdict }) => [name, verdict])).toEqual([
    ['settings', 'ok'],
    ['server', 'ok'],
    ['login', 'ok'],
    ['mount', 'ok'],
    ['policy', 'ok'],
  ]);
  const told = found.map(({ evidence }) => evidence).join('\n');
  for (const part of [server.url, 'BAO_ADDR of this shell', '2.', 'active', 'token from BAO_TOKEN', 'min left']) {
    expect(told).toContain(part);
  }
  await expect(server.root({ path: 'secret/metadata/keyturn?list=1' })).rejects.toThrow('404');
});

describe('the server', () => {
  it.each<[string, () => VaultStoreOptions, string | RegExp, string | RegExp]>([
    ['nobody listens', () => by({ BAO_ADDR: 'https://127.0.0.1:1' }), 'ECONNREFUSED', 'Nobody listens at'],
    [
      'a name that is none',
      () => by({ BAO_ADDR: 'https://vault.invalid:8200' }),
      /ENOTFOUND|EAI_AGAIN/,
      'getent hosts',
    ],
    ['another CA', () => by({ BAO_CACERT_BYTES: otherCa.certificatePem }), 'certificate of Vault is refused', 'tls.ca'],
    ['an expired certificate', () => by({ BAO_ADDR: expired.url }), 'CERT_HAS_EXPIRED', 'kill -HUP'],
    ['no TLS', () => by({ BAO_ADDR: server.url.replace('https', 'http') }), 'speaks TLS', 'https://'],
  ])('%s', async (_, options, evidence, fix) => {
    expect((await complaints(options())).filter(({ verdict }) => verdict === 'broken')).toEqual(
      broken('server', evidence, fix),
    );
  });

  it.each<[string, Fault, string | RegExp, string | RegExp]>([
    ['a standby without active', answering(474), 'lost its active node', 'list-peers'],
    ['a secondary', answering(472), 'secondary', 'primary'],
    ['a node that was removed', answering(530), 'removed', 'node of the cluster'],
    ['something that is not Vault', answeringWith(200, 'text/html', '<h1>hello</h1>'), 'not Vault', 'address'],
    ['nothing ever comes', hanging, 'in time', 'network'],
  ])('%s', async (_, fault, evidence, fix) => {
    proxy.fault = only(['GET'], /sys\/health/, fault);
    expect(await complaints(by({ BAO_ADDR: proxy.url }))).toEqual(broken('server', evidence, fix));
  });

  it('sealed', async () => {
    await server.seal();
    try {
      expect(await complaints(by())).toEqual(broken('server', 'sealed', 'bao operator unseal'));
    } finally {
      await server.unseal();
    }
  });

  it('not initialised', async () => {
    const identity = await server.ca.server();
    const fresh = await OpenBaoProcess.start({ server: identity, caPem: server.ca.certificatePem });
    try {
      const found = await complaints(by({ BAO_ADDR: fresh.url }));
      expect(found).toEqual(broken('server', 'not initialised', 'bao operator init'));
    } finally {
      await fresh.stop();
    }
  });

  it('a standby is well while its active node is, and what it can no longer do is told when that is gone', async () => {
    await using cluster = await startOpenBaoCluster();
    const { active, standbyUrl } = cluster;
    const BAO_TOKEN = await active.token(['root'], { no_default_policy: false });
    const environment = { BAO_ADDR: standbyUrl, BAO_CACERT_BYTES: active.ca.certificatePem, BAO_TOKEN };
    const names = async () => (await examineVault({ environment })).filter(({ verdict }) => verdict === 'broken');
    expect(await names()).toEqual([]);
    await active.process.stop();
    expect(await names()).toHaveLength(1);
  });

  it('a clock that is another', async () => {
    proxy.fault = only(['GET'], /sys\/health/, async (_, response, forward) => {
      const { body } = await forward();
      const later = JSON.stringify({ ...(JSON.parse(body) as object), server_time_utc: Date.now() / 1000 + 600 });
      response.writeHead(200, { 'Content-Type': 'application/json' }).end(later);
    });
    expect(await complaints(by({ BAO_ADDR: proxy.url }))).toEqual(attention('clocks', /(599|600) s apart/, 'NTP'));
  });
});

describe('the CA', () => {
  const set = (variables: Readonly<Record<string, string>>) => {
    const environment = { BAO_ADDR: server.url, BAO_TOKEN: token, ...variables };
    return complaints({ environment, timeoutMs: 2_000 });
  };

  it('one that did not issue the certificate is named, with what shows who did', async () => {
    const file = folder.path('other-ca');
    await writeFile(file, otherCa.certificatePem);
    const [found] = await set({ VAULT_CACERT: file });
    expect(found?.evidence).toContain(`It is not of the CA in force, ${file} (VAULT_CACERT of this shell`);
    expect(found?.fix).toContain(`openssl s_client -connect ${new URL(server.url).host} -showcerts`);
  });

  it.each([
    ['empty', ''],
    ['of another kind', 'hello\n'],
    ['in DER', '\u0030\u0082'],
  ])('a file that is %s is told, and not passed over', async (_, text) => {
    const file = folder.path('no-ca');
    await writeFile(file, text);
    const found = broken('settings', 'no-ca, for the CA of Vault \\(from VAULT_CACERT\\), holds no certificate', 'PEM');
    expect(await set({ VAULT_CACERT: file })).toEqual(found);
  });

  it('a folder is read whole, whatever its files are called', async () => {
    const path = folder.path('hashed');
    await mkdir(path);
    await writeFile(join(path, '0a1b2c3d.0'), server.ca.certificatePem);
    await writeFile(join(path, 'README'), 'of another kind');
    expect(await set({ VAULT_CAPATH: path })).toEqual([]);
  });
});

describe('the login', () => {
  const approle = (file: string): VaultStoreOptions => {
    const login = { method: 'approle', roleId: 'keyturn', secretIdFile: folder.path(file) } as const;
    return by({}, { login });
  };

  it('a token that was revoked, or never was one', async () => {
    const revoked = await made(['keyturn']);
    await server.root({ path: 'auth/token/revoke', body: { token: revoked } });
    const expected = broken('login', 'does not accept the token from BAO_TOKEN: it expired', 'bao token create');
    expect(await complaints(by({ BAO_TOKEN: revoked }))).toEqual(expected);
    expect(await complaints(by({ BAO_TOKEN: 'hvs.nobody' }))).toEqual(expected);
  });

  it('a token that is none', async () => {
    const found = await complaints(by({ BAO_TOKEN: 'two words' }));
    expect(found).toEqual(broken('login', 'BAO_TOKEN gives is not a token', 'without spaces'));
  });

  it.each([
    ['is not there', 'absent', 'ENOENT'],
    ['holds two lines', 'two-lines', 'does not hold a secret ID'],
  ])('a secret-id file that %s', async (_, file, evidence) => {
    expect(await complaints(approle(file))).toEqual(broken('login', evidence, /\S/));
  });

  it('a secret ID that Vault refuses, and one whose role has no policy', async () => {
    await server.root({ path: 'sys/auth/approle', body: { type: 'approle' } });
    const role = { token_policies: ['nothing'], token_no_default_policy: true };
    await server.root({ path: 'auth/approle/role/keyturn', body: role });
    await server.root({ path: 'auth/approle/role/keyturn/role-id', body: { role_id: 'keyturn' } });
    expect(await complaints(approle('secret-id'))).toEqual(
      broken('login', 'Vault knows no such secret ID', 'bao list auth/approle/role'),
    );
    const body = { secret_id: SECRET_ID };
    await server.root({ path: 'auth/approle/role/keyturn/custom-secret-id', body });
    const nothing = broken('login', 'gave a token for approle at auth/approle, and does not', 'bao policy write');
    expect(await complaints(approle('secret-id'))).toEqual(nothing);
    await server.root({ path: 'auth/approle/role/keyturn', body: { ...role, token_policies: ['keyturn'] } });
    expect(await complaints(approle('secret-id'))).toEqual([]);
  });

  it('no way to log in', async () => {
    const environment = { BAO_ADDR: server.url, HOME: folder.path('nobody') };
    expect(await complaints({ environment })).toEqual(broken('settings', 'no way to log in', 'bao login'));
  });

  it('root’s token, and a token that ends and can’t be renewed', async () => {
    expect(await complaints(by({ BAO_TOKEN: server.rootToken }))).toEqual(attention('login', 'root’s', 'keyturn.hcl'));
    const ending = await made(['keyturn'], { renewable: false });
    expect(await complaints(by({ BAO_TOKEN: ending }))).toEqual(attention('login', 'can’t be renewed', 'approle'));
  });

  it('a token that ends after some requests, and one at home that nobody renews', async () => {
    const few = await made(['keyturn'], { num_uses: 50 });
    expect(await complaints(by({ BAO_TOKEN: few }))).toEqual(attention('login', /after \d+ more requests/, 'approle'));
    const home = folder.path('home');
    await mkdir(home);
    await writeFile(join(home, '.vault-token'), await made(['keyturn']), { mode: 0o600 });
    const environment = { BAO_ADDR: server.url, BAO_CACERT_BYTES: server.ca.certificatePem, HOME: home };
    expect(await complaints({ environment })).toEqual(attention('login', 'renewed by nobody', 'approle'));
    await writeFile(join(home, '.vault-token'), 'hvs.nobody', { mode: 0o600 });
    const fresh = `bao token create -policy=keyturn -field=token > ${join(home, '.vault-token')}`;
    expect(await complaints({ environment })).toEqual(broken('login', 'does not accept the token file', fresh));
  });

  it('a namespace that is not there', async () => {
    const found = await complaints(by({ BAO_NAMESPACE: 'missing' }));
    expect(found).toEqual(broken('login', 'no such namespace', 'namespace'));
  });
});

describe('mount and policy', () => {
  it('nothing is mounted there, or KV version 1', async () => {
    await server.policy(
      'elsewhere',
      `${POLICY.replaceAll('secret/', 'missing/')}${POLICY.replaceAll('secret/', 'old/')}`,
    );
    await server.root({ path: 'sys/mounts/old', body: { type: 'kv', options: { version: '1' } } });
    const BAO_TOKEN = await made(['elsewhere']);
    const enable = 'bao secrets enable -path=missing -version=2 kv';
    expect(await complaints(by({ BAO_TOKEN }, { mount: 'missing' }))).toEqual(
      broken('mount', 'nothing mounted', enable),
    );
    const versioning = 'bao kv enable-versioning old';
    expect(await complaints(by({ BAO_TOKEN }, { mount: 'old' }))).toEqual(
      broken('mount', 'not KV version 2', versioning),
    );
  });

  it.each([
    ['create', 'secret/data/keyturn/*', 'broken', '"create", "read"', '"read"'],
    ['read', 'secret/data/keyturn/*', 'broken', '"create", "read"', '"create"'],
    ['update', 'secret/metadata/keyturn/*', 'attention', '"list", "update", "delete"', '"list", "delete"'],
    ['delete', 'secret/metadata/keyturn/*', 'broken', '"list", "update", "delete"', '"list", "update"'],
  ])('lacks %s on %s: the line to add is told, and mends it', async (capability, path, verdict, whole, part) => {
    const name = `without-${capability}`;
    await server.policy(name, POLICY.replace(whole, part));
    const BAO_TOKEN = await made([name]);
    const [found, ...more] = await complaints(by({ BAO_TOKEN }));
    expect(more).toEqual([]);
    expect(found).toMatchObject({ name: 'policy', verdict });
    expect(found?.evidence).toContain(`lacks "${capability}" on ${path}`);
    const line = found?.fix.replace('Add to its policy: ', '') ?? '';
    expect(line).toBe(`path "${path}" { capabilities = ["${capability}"] }`);
    await server.policy('the-line', line);
    expect(await complaints(by({ BAO_TOKEN: await made([name, 'the-line']) }))).toEqual([]);
  });

  it('lacks list: the one who may not list is told so at the mount', async () => {
    await server.policy('without-list', POLICY.replace('"list", "update"', '"update"'));
    const found = await complaints(by({ BAO_TOKEN: await made(['without-list']) }));
    expect(found).toEqual(
      broken('mount', 'does not grant "list" on secret/metadata/keyturn/', 'Add to the policy: path'),
    );
    expect(JSON.stringify(found)).toContain('bao policy write keyturn policies/vault/keyturn.hcl');
    // What a mount that there is not looks like to this login.
    expect(JSON.stringify(found)).toContain('bao secrets list');
  });

  it.each([
    ['auth/token/renew-self', 'policy', 'lacks "update" on auth/token/renew-self'],
    ['auth/token/lookup-self', 'login', 'may not look itself up'],
    ['sys/capabilities-self', 'policy', 'may not ask what it may do'],
  ])('lacks %s, a convenience', async (path, name, evidence) => {
    const policy = path.replaceAll('/', '-');
    await server.policy(policy, POLICY.replace(`path "${path}"`, 'path "nowhere"'));
    const found = await complaints(by({ BAO_TOKEN: await made([policy]) }));
    expect(found).toEqual(attention(name, evidence, `path "${path}"`));
  });
});

it.each([
  [
    'may still ask what it may do',
    ['secret/metadata/keyturn/*'],
    [
      ['login', 'attention'],
      ['mount', 'broken'],
    ],
  ],
  [
    'may still list',
    ['sys/capabilities-self'],
    [
      ['login', 'attention'],
      ['policy', 'attention'],
    ],
  ],
])('a token that may not look itself up and %s is known for one of this server', async (_, paths, expected) => {
  const lacking = ['auth/token/lookup-self', ...paths];
  const policy = lacking.reduce((left, path) => left.replace(`path "${path}"`, `path "nowhere/${path}"`), POLICY);
  await server.policy('hardly', policy);
  const found = await complaints(by({ BAO_TOKEN: await made(['hardly']) }));
  expect(found.map(({ name, verdict }) => [name, verdict])).toEqual(expected);
});

it('commands are for the namespace of the store', async () => {
  await server.root({ path: 'sys/namespaces/pay', body: {} });
  const options = by({ BAO_TOKEN: server.rootToken, BAO_NAMESPACE: 'pay' }, { mount: 'kv' });
  const found = (await complaints(options)).filter(({ verdict }) => verdict === 'broken');
  expect(found).toEqual(broken('mount', 'nothing mounted', 'bao secrets enable -namespace=pay -path=kv -version=2 kv'));
});

it('the policy for another mount and prefix comes as a command that makes it of the shipped one', async () => {
  const body = { type: 'kv', options: { version: '2' } };
  await server.root({ path: 'sys/mounts/teams/pay', body });
  const BAO_TOKEN = await made(['keyturn']);
  const options = by({ BAO_TOKEN }, { mount: 'teams/pay', prefix: 'keys/eu' });
  const [found] = await complaints(options);
  const command = /(sed -E '[^']+') policies\/vault\/keyturn\.hcl \| bao policy write keyturn -/.exec(found?.fix ?? '');
  const policy = execFileSync('sh', ['-c', `${command?.[1]} policies/vault/keyturn.hcl`], { encoding: 'utf8' });
  await server.policy('adapted', policy);
  expect(
    await complaints({ ...options, environment: { ...options.environment, BAO_TOKEN: await made(['adapted']) } }),
  ).toEqual([]);
});

describe('the settings', () => {
  const set = (variables: Readonly<Record<string, string>>, options: VaultStoreOptions = {}) =>
    complaints(by(variables, options));

  it('a variable that hides another is told, never what it holds', async () => {
    const differs = attention('settings', 'BAO_ADDR wins over VAULT_ADDR', 'unset VAULT_ADDR');
    expect(await set({ VAULT_ADDR: 'https://other:8200' })).toEqual(differs);
    const token = await made(['keyturn']);
    expect(await set({ VAULT_TOKEN: token })).toEqual(attention('settings', 'BAO_TOKEN wins', 'unset VAULT_TOKEN'));
    const empty = attention('settings', 'BAO_NAMESPACE is set to nothing, and so hides', 'unset BAO_NAMESPACE');
    expect(await set({ BAO_NAMESPACE: '', VAULT_NAMESPACE: 'team' })).toEqual(empty);
    const agent = attention('settings', 'BAO_AGENT_ADDR wins over BAO_ADDR', 'unset BAO_ADDR');
    expect(await set({ BAO_AGENT_ADDR: server.url, BAO_ADDR: 'https://other:8200' })).toEqual(agent);
    expect(await set({ VAULT_ADDR: server.url })).toEqual([]);
  });

  it('what keyturn.yaml says wins, and the variable that lost is named', async () => {
    const options = by({ BAO_ADDR: 'https://other:8200', VAULT_ADDR: 'https://third:8200' }, { address: server.url });
    const [settings, ...rest] = await examined(options);
    expect(settings?.evidence).toContain(`address ${server.url} (keyturn.yaml)`);
    expect(settings?.evidence).toContain('keyturn.yaml wins over BAO_ADDR');
    expect(rest.filter(({ verdict }) => verdict !== 'ok')).toEqual([]);
  });

  it('a variable that Vault’s tools heed and Keyturn does not', async () => {
    const found = attention('settings', 'VAULT_RATE_LIMIT is set', 'unset VAULT_RATE_LIMIT');
    expect(await set({ VAULT_RATE_LIMIT: '10' })).toEqual(found);
  });

  it('a CA file that can’t be read is named with who named it', async () => {
    const options = by({}, { tls: { caFile: folder.path('absent') } });
    expect(await complaints(options)).toEqual(broken('settings', 'absent \\(from configuration\\)', 'Check the path'));
  });

  it('skip-verify is refused unless it is allowed, and told when it is in force', async () => {
    const asked = { BAO_SKIP_VERIFY: 'true', BAO_CACERT_BYTES: otherCa.certificatePem };
    expect(await set(asked)).toEqual(broken('settings', 'nobody checks', 'Unset BAO_SKIP_VERIFY'));
    const inForce = attention('TLS', 'BAO_SKIP_VERIFY is in force', 'unset BAO_SKIP_VERIFY');
    expect(await set(asked, { tls: { allowSkipVerify: true } })).toEqual(inForce);
  });

  it('plain http is refused, and told on the loopback', async () => {
    expect(await set({ BAO_ADDR: 'http://vault.internal:8200' })).toEqual(
      broken('settings', 'in the clear', 'export BAO_ADDR=https://vault.internal:8200'),
    );
    const [first] = await set({ BAO_ADDR: 'http://127.0.0.1:1' });
    expect([first]).toEqual(attention('TLS', 'plain http', 'https://'));
  });
});

describe('the write test', () => {
  async function tried(options: VaultStoreOptions): Promise<Check[]> {
    const store = new KeyStore('vault', await openVaultStore(options));
    try {
      return await tryRecord(store);
    } finally {
      await store.close();
    }
  }
  const left = async () => {
    const path = 'secret/metadata/keyturn/doctor/probe?list=1';
    return server.root<{ data: { keys: string[] } }>({ path }).then(
      ({ data }) => data.keys,
      () => [],
    );
  };

  it('writes, reads and destroys, and leaves nothing behind', async () => {
    expect(await tried(by())).toMatchObject([{ name: 'write test', verdict: 'ok' }]);
    expect(await left()).toEqual([]);
  });

  it('a write that is denied is told with the capability', async () => {
    expect(await tried(by({ BAO_TOKEN: await made(['without-create']) }))).toEqual(
      broken('write test', '"create" on secret/data/keyturn/', 'Add to the policy'),
    );
    expect(await left()).toEqual([]);
  });

  it('a record that could not be destroyed is named', async () => {
    const [found] = await tried(by({ BAO_TOKEN: await made(['without-delete']) }));
    const [name] = await left();
    expect(found?.evidence).toContain(`doctor/probe/${name} was written, and is left behind`);
    await server.root({ path: `secret/metadata/keyturn/doctor/probe/${name}`, method: 'DELETE' });
  });
});
