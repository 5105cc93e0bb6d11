import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { examineVault } from '../../../src/keystore/vault/examine/examine.ts';
import type { VaultStoreOptions } from '../../../src/keystore/vault/options.ts';
import { openVaultStore } from '../../../src/keystore/vault/vault-store.ts';
import { TestCa } from '../../fakes/ca.ts';
import { ConnectProxy, type ConnectProxyOptions } from '../../fakes/egress/connect-proxy.ts';
import { OpenBao } from '../../fakes/openbao.ts';
import { get, put } from '../aws/stage.ts';
import { refusedReading } from '../refused-reading.ts';

const PASSWORD = 'canary-proxy-password-5891b5b5';
const LOGIN = `keyturn:${PASSWORD}`;

let server: OpenBao;
let proxy: ConnectProxy;
let at = 0;

beforeAll(async () => {
  server = await OpenBao.start();
  proxy = await ConnectProxy.start();
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});
beforeEach(() => {
  proxy.instead = null;
  proxy.asked.length = 0;
  proxy.passed.length = 0;
});

/** A name that is not loopback, at which the proxies find the server. */
const place = () => `vault.test:${new URL(server.url).port}`;

/** A store at that name, as variables have it. */
function by(variables: Readonly<Record<string, string>>, options: VaultStoreOptions = {}): VaultStoreOptions {
  return {
    prefix: `keyturn-${at}`,
    maxRetries: 0,
    tls: { serverName: 'localhost' },
    ...options,
    environment: {
      BAO_ADDR: `https://${place()}`,
      BAO_CACERT_BYTES: server.ca.certificatePem,
      BAO_TOKEN: server.rootToken,
      ...variables,
    },
  };
}

async function opened(variables: Readonly<Record<string, string>>, options: VaultStoreOptions = {}) {
  at += 1;
  const store = await openVaultStore(by(variables, options));
  onTestFinished(() => store.close());
  return store;
}

async function another(options: ConnectProxyOptions): Promise<ConnectProxy> {
  const started = await ConnectProxy.start(options);
  onTestFinished(() => started[Symbol.asyncDispose]());
  return started;
}

/** Code, reason and words of what a reading rejects with; none holds the password. */
async function refusal(variables: Readonly<Record<string, string>>, options: VaultStoreOptions = {}) {
  const refused = await refusedReading(await opened(variables, options), PASSWORD);
  expect(refused.said).not.toMatch(/canary-reason|keyturn:/);
  return refused;
}

describe.each([
  'HTTPS_PROXY',
  'https_proxy',
  'VAULT_PROXY_ADDR',
  'VAULT_HTTP_PROXY',
  'BAO_PROXY_ADDR',
  'BAO_HTTP_PROXY',
])('behind the proxy that %s names', (name) => {
  it('records are written, read, listed and destroyed through a tunnel in which the proxy sees neither token nor octets', async () => {
    const store = await opened({ [name]: proxy.url });
    await put(store, 'versions/a/1', 'canary-octets');
    expect(await get(store, 'versions/a/1')).toBe('canary-octets');
    expect(await store.list()).toEqual(['versions/a/1']);
    await store.destroy('versions/a/1');
    expect(await store.health()).toEqual({ ready: true, detail: '' });
    expect(new Set(proxy.asked)).toEqual(new Set([place()]));
    const seen = Buffer.concat(proxy.passed);
    expect(seen.length).toBeGreaterThan(1000);
    for (const secret of [server.rootToken, 'canary-octets', Buffer.from('canary-octets').toString('base64')]) {
      expect(seen.includes(secret)).toBe(false);
    }
  });

  it('connections through it are kept, and end when the store is closed', async () => {
    const store = await openVaultStore(by({ [name]: proxy.url }));
    for (let each = 0; each < 3; each += 1) await store.list();
    expect(proxy.asked).toHaveLength(1);
    await store.close();
    await expect.poll(() => proxy.open).toBe(0);
  });
});

it('of the variables of Vault alone PROXY_ADDR goes first, and each of them before HTTPS_PROXY', async () => {
  const nobody = 'http://127.0.0.1:9';
  const firsts = [
    { BAO_PROXY_ADDR: proxy.url, VAULT_PROXY_ADDR: nobody, VAULT_HTTP_PROXY: nobody, HTTPS_PROXY: nobody },
    { VAULT_PROXY_ADDR: proxy.url, BAO_HTTP_PROXY: nobody, VAULT_HTTP_PROXY: nobody, HTTPS_PROXY: nobody },
    { VAULT_HTTP_PROXY: proxy.url, HTTPS_PROXY: nobody },
  ];
  for (const variables of firsts) expect(await (await opened(variables)).list()).toEqual([]);
});

it('NO_PROXY spares the address, and says nothing to VAULT_PROXY_ADDR', async () => {
  const spared = await refusal({ HTTPS_PROXY: proxy.url, NO_PROXY: '.test' });
  expect(spared).toMatchObject({ reason: 'unreachable', said: expect.stringContaining('ENOTFOUND') });
  expect(spared.said).not.toContain('proxy');
  expect(proxy.asked).toEqual([]);
  const own = await opened({ VAULT_PROXY_ADDR: proxy.url, NO_PROXY: '*' });
  expect(await own.list()).toEqual([]);
});

it('a server on loopback is reached past the proxy', async () => {
  const store = await opened({ HTTPS_PROXY: 'http://127.0.0.1:9', BAO_ADDR: server.url });
  expect(await store.list()).toEqual([]);
});

it('plain http is never sent to a proxy: VAULT_PROXY_ADDR with an http address is refused', async () => {
  const options = by({ BAO_ADDR: 'http://127.0.0.1:8200', VAULT_PROXY_ADDR: proxy.url });
  await expect(openVaultStore(options)).rejects.toMatchObject({
    code: 'config_invalid',
    message: expect.stringMatching(/VAULT_PROXY_ADDR.*clear/),
  });
});

it('a user and password of the address go to the proxy, percent-decoded', async () => {
  const guarded = await another({ login: `key@turn:${PASSWORD}:%/` });
  expect(await (await opened({ HTTPS_PROXY: guarded.url })).list()).toEqual([]);
});

it('a proxy that is spoken to with TLS is held against the authorities of Node, not against that of Vault', async () => {
  const secured = await another({ server: await server.ca.server() });
  const refused = await refusal({ HTTPS_PROXY: secured.url });
  expect(refused).toMatchObject({ reason: 'tls', certain: true });
  expect(refused.said).toMatch(
    /The proxy https:\/\/127\.0\.0\.1:\d+ \(HTTPS_PROXY\) has a certificate that is refused/,
  );
  expect(refused.said).toContain('NODE_EXTRA_CA_CERTS');
  expect(secured.asked).toEqual([]);
});

it('the certificate of Vault is judged behind the proxy as without: another CA is refused, and the proxy is named', async () => {
  const other = await TestCa.create();
  const refused = await refusal({ HTTPS_PROXY: proxy.url, BAO_CACERT_BYTES: other.certificatePem });
  expect(refused).toMatchObject({ reason: 'tls', certain: true });
  expect(refused.said).toMatch(/certificate of Vault is refused.*through the proxy http:\/\/127\.0\.0\.1:\d+/);
});

describe('a proxy that does not open the way is told with its name and without its password', () => {
  it('nobody listens there', async () => {
    const refused = await refusal({ HTTPS_PROXY: `http://${LOGIN}@127.0.0.1:9` });
    expect(refused).toMatchObject({ reason: 'unreachable', certain: true });
    expect(refused.said).toMatch(/The proxy http:\/\/127\.0\.0\.1:9 \(HTTPS_PROXY\) can't be reached \(ECONNREFUSED\)/);
    expect(refused.said).toMatch(/export NO_PROXY="\$\{NO_PROXY:-\$no_proxy\},vault\.test"$/);
  });

  it('its name does not resolve', async () => {
    const refused = await refusal({ VAULT_PROXY_ADDR: `http://${LOGIN}@no-such-proxy.invalid:3128` });
    expect(refused).toMatchObject({ reason: 'unreachable', certain: true });
    expect(refused.said).toMatch(/no-such-proxy\.invalid:3128 \(VAULT_PROXY_ADDR\).*ENOTFOUND.*unset VAULT_PROXY_ADDR/);
  });

  it('it wants a login, or another one', async () => {
    const guarded = await another({ login: LOGIN });
    const none = await refusal({ HTTPS_PROXY: guarded.origin });
    expect(none).toMatchObject({ reason: 'proxy', certain: true });
    expect(none.said).toMatch(/wants a user and password \(HTTP 407\).*USER:PASSWORD@127\.0\.0\.1:\d+/);
    const wrong = await refusal(
      { HTTPS_PROXY: guarded.origin.replace('//', `//keyturn:${PASSWORD}x@`) },
      { maxRetries: 2 },
    );
    expect(wrong.said).toContain('does not accept user and password (HTTP 407)');
    // Asking again with a wrong password locks accounts.
    expect(guarded.asked).toHaveLength(2);
  });

  it.each([
    [403, 'proxy', 'refuses the way to vault.test:'],
    [405, 'proxy', 'refuses the way to vault.test:'],
    [502, 'unreachable', "can't reach vault.test:"],
    [503, 'unreachable', "can't reach vault.test:"],
    [504, 'unreachable', "can't reach vault.test:"],
  ])('it answers %i', async (status, reason, says) => {
    proxy.instead = status;
    const refused = await refusal({ HTTPS_PROXY: proxy.url.replace('//', `//${LOGIN}@`) });
    expect(refused).toMatchObject({ reason, certain: true });
    expect(refused.said).toContain(`The proxy ${proxy.origin} (HTTPS_PROXY) ${says}`);
    expect(refused.said).toContain(`(HTTP ${status})`);
    expect(refused.said).toContain(`curl -v -x ${proxy.origin} -U USER https://${place()}`);
  });

  it('it hangs: what is waited for is named, nothing was sent, and no connection is left behind', async () => {
    proxy.instead = 'hang';
    const begun = performance.now();
    const refused = await refusal({ HTTPS_PROXY: proxy.url }, { timeoutMs: 300 });
    expect(performance.now() - begun).toBeLessThan(1_000);
    expect(refused).toMatchObject({ reason: 'unreachable', certain: true });
    expect(refused.said).toContain(`The proxy ${proxy.origin} (HTTPS_PROXY) opened no way to ${place()} in time`);
    await expect.poll(() => proxy.open, { timeout: 3_000 }).toBe(0);
  });

  it('it breaks off', async () => {
    proxy.instead = 'drop';
    const refused = await refusal({ HTTPS_PROXY: proxy.url });
    expect(refused).toMatchObject({ reason: 'unreachable', certain: true });
    expect(refused.said).toContain('broke off when it was asked for');
  });

  it.each(['SSH-2.0-OpenSSH_9.2\r\n', `HTTP/1.1 200 OK\r\n${'x: yyyyyyyy\r\n'.repeat(4000)}\r\n`])(
    'what listens there is something else: %.20s',
    async (text) => {
      proxy.instead = { text };
      const refused = await refusal({ HTTPS_PROXY: proxy.url });
      expect(refused.said).toContain('does not speak HTTP');
      expect(refused).toMatchObject({ reason: 'proxy', certain: true });
    },
  );

  it('a proxy that fails opens the circuit as the server does, and records go on when it is back', async () => {
    proxy.instead = 503;
    const store = await opened({ HTTPS_PROXY: proxy.url }, { breakMs: 50 });
    for (let each = 0; each < 5; each += 1) await expect(store.list()).rejects.toThrow('HTTP 503');
    await expect(store.list()).rejects.toThrow('left alone');
    proxy.instead = null;
    await expect.poll(() => store.list().catch(() => null)).toEqual([]);
  });
});

it('what breaks behind the proxy before TLS stands did certainly nothing, what breaks behind it may have', async () => {
  const { keyPem, certificatePem } = await server.ca.server();
  const torn = createServer({ key: keyPem, cert: certificatePem }, (request) => request.socket.destroy());
  await once(torn.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void torn.close());
  const BAO_ADDR = `https://vault.test:${(torn.address() as AddressInfo).port}`;
  expect(await refusal({ HTTPS_PROXY: proxy.url, BAO_ADDR })).toMatchObject({ reason: 'lost', certain: false });
  expect(proxy.asked).toHaveLength(1);
  proxy.instead = { text: 'HTTP/1.1 200 OK\r\n\r\n' };
  expect(await refusal({ HTTPS_PROXY: proxy.url })).toMatchObject({ reason: 'unreachable', certain: true });
});

describe('doctor', () => {
  it('says that a proxy is used, which, and by whose word', async () => {
    const [settings] = await examineVault(by({ HTTPS_PROXY: proxy.url.replace('//', `//${LOGIN}@`) }));
    expect(settings?.evidence).toContain(`proxy ${proxy.origin} (HTTPS_PROXY of this shell`);
    expect(JSON.stringify(settings)).not.toContain(PASSWORD);
  });

  it('says why a proxy is not used', async () => {
    const spared = by({ HTTPS_PROXY: proxy.url, NO_PROXY: 'test' });
    expect((await examineVault(spared))[0]?.evidence).toContain(
      'past the proxy of HTTPS_PROXY: NO_PROXY names the address',
    );
    const loopback = by({ HTTPS_PROXY: proxy.url, BAO_ADDR: server.url });
    expect((await examineVault(loopback))[0]?.evidence).toContain('past the proxy of HTTPS_PROXY: a loopback address');
  });

  it('names a proxy that stands in the way, and what to run', async () => {
    proxy.instead = 403;
    const found = await examineVault(by({ HTTPS_PROXY: proxy.url }));
    expect(found.at(-1)).toMatchObject({ name: 'server', verdict: 'broken' });
    expect(found.at(-1)?.evidence).toContain('refuses the way to');
    expect(found.at(-1)?.fix).toContain(`curl -v -x ${proxy.origin}`);
  });

  it('tells how to see, through the proxy, the certificate of another CA', async () => {
    const other = await TestCa.create();
    const found = await examineVault(by({ HTTPS_PROXY: proxy.url, BAO_CACERT_BYTES: other.certificatePem }));
    expect(found.at(-1)?.fix).toContain(`openssl s_client -proxy ${new URL(proxy.url).host} -connect ${place()}`);
  });

  it('tells of two variables that say different things', async () => {
    const found = await examineVault(by({ HTTPS_PROXY: proxy.url, https_proxy: 'http://other.test:1' }));
    expect(found).toContainEqual({
      name: 'settings',
      verdict: 'attention',
      evidence: 'HTTPS_PROXY wins over https_proxy, which says otherwise',
      fix: 'unset https_proxy',
    });
  });
});
