import { X509Certificate } from 'node:crypto';
import { getEventListeners, once } from 'node:events';
import { createServer, type RequestOptions, request, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { getCACertificates, setDefaultCACertificates, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { Egress } from '../../../src/core/egress/egress.ts';
import { HttpProxy } from '../../../src/core/egress/proxy.ts';
import { connectionFailure, ProxyError, refusal } from '../../../src/core/egress/proxy-error.ts';
import { openTunnel } from '../../../src/core/egress/tunnel.ts';
import { TunnelAgent } from '../../../src/core/egress/tunnel-agent.ts';
import { TestCa } from '../../fakes/ca.ts';
import { ConnectProxy, type ConnectProxyOptions } from '../../fakes/egress/connect-proxy.ts';

const roots = getCACertificates('default');
let ca: TestCa;
/** Of the places behind the proxy; Node knows it not. */
let inner: TestCa;
let server: Server;
/** Of each request: the name that its connection asked for, and the certificate that it showed. */
const shown: { name: string | false; certificate: string | undefined }[] = [];

beforeAll(async () => {
  ca = await TestCa.create('Proxy CA');
  inner = await TestCa.create('Inner CA');
  setDefaultCACertificates([...roots, ca.certificatePem]);
  const { keyPem, certificatePem } = await inner.server({ dns: ['vault.test'], ip: ['10.1.2.3'] });
  const tls = { key: keyPem, cert: certificatePem, ca: inner.certificatePem, requestCert: true };
  server = createServer({ ...tls, rejectUnauthorized: false }, (incoming, response) => {
    const socket = incoming.socket as TLSSocket & { readonly servername: string | false };
    shown.push({ name: socket.servername, certificate: socket.getPeerCertificate().fingerprint256 });
    response.end(incoming.headers.host);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(async () => {
  setDefaultCACertificates(roots);
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

async function started(options: ConnectProxyOptions = {}): Promise<ConnectProxy> {
  const proxy = await ConnectProxy.start(options);
  onTestFinished(() => proxy[Symbol.asyncDispose]());
  return proxy;
}

async function secured(names: { dns?: readonly string[]; ip?: readonly string[] }): Promise<ConnectProxy> {
  return started({ server: await ca.server(names) });
}

const port = () => (server.address() as AddressInfo).port;

/** The status of what is asked of `host` through a proxy, or the code that it ends with, or what is said of the proxy. */
async function ask(through: string, host: string, options: RequestOptions = {}): Promise<unknown> {
  const egress = Egress.through(HttpProxy.of(through, 'HTTPS_PROXY', false));
  const agent = new TunnelAgent({}, egress, 2_000);
  const outgoing = request({ host, port: port(), agent, ca: inner.certificatePem, ...options });
  outgoing.end();
  try {
    const [response] = await once(outgoing, 'response');
    response.resume();
    return response.statusCode;
  } catch (error) {
    if (error instanceof ProxyError) return `${error.message} ${error.fix}`;
    return (error as NodeJS.ErrnoException).code;
  } finally {
    agent.destroy();
  }
}

it('a proxy that speaks TLS is held against its own name, whatever lies behind it', async () => {
  const proxy = await secured({ dns: ['localhost'], ip: [] });
  const named = proxy.url.replace('127.0.0.1', 'localhost');
  expect(await ask(named, 'vault.test')).toBe(200);
  expect(await ask(named, '10.1.2.3')).toBe(200);
  const byAddress = await secured({ dns: [], ip: ['127.0.0.1'] });
  expect(await ask(byAddress.url, 'vault.test')).toBe(200);
});

it('a proxy with the certificate of a place behind it, and not of its own name, is refused', async () => {
  const proxy = await secured({ dns: ['vault.test'], ip: [] });
  expect(await ask(proxy.url, 'vault.test')).toMatch(
    /certificate of another name.*openssl s_client -connect 127\.0\.0\.1:/,
  );
  expect(proxy.asked).toEqual([]);
});

it('a name and an address behind a proxy are each held against the certificate, and only the name is asked for', async () => {
  const proxy = await started();
  shown.length = 0;
  expect([await ask(proxy.url, 'vault.test'), await ask(proxy.url, '10.1.2.3')]).toEqual([200, 200]);
  expect(shown.map(({ name }) => name)).toEqual(['vault.test', false]);
  for (const host of ['other.test', '10.9.9.9']) {
    expect(await ask(proxy.url, host)).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
  }
  expect(await ask(proxy.url, 'vault.test', { ca: ca.certificatePem })).toMatch(/^(?:UNABLE_TO_|SELF_SIGNED_)/);
});

it('a client certificate is shown to the place behind a proxy, and not to a proxy that asks for one', async () => {
  const { keyPem, certificatePem } = await inner.client();
  const proxy = await started({ server: await ca.server(), asksFor: inner.certificatePem });
  shown.length = 0;
  expect(await ask(proxy.url, 'vault.test', { key: keyPem, cert: certificatePem })).toBe(200);
  expect(shown[0]?.certificate).toBe(new X509Certificate(certificatePem).fingerprint256);
  expect(proxy.clients).toEqual([null]);
});

it.each([302, 401, 500])('an answer of %i opens nothing', async (status) => {
  const proxy = await started();
  proxy.instead = status;
  expect(await ask(proxy.url, 'vault.test')).toContain(`refuses the way to vault.test:${port()} (HTTP ${status})`);
});

it('what a proxy says before anybody behind it was asked is taken for no word of theirs', async () => {
  const proxy = await started();
  proxy.instead = { text: 'HTTP/1.1 200 OK\r\n\r\nearly' };
  expect(await ask(proxy.url, 'vault.test')).toContain('sent more than an answer');
});

it('a way that is open, or that none opens, leaves neither timer nor listener behind', async () => {
  const proxy = await started();
  const { signal } = new AbortController();
  const to = HttpProxy.of(proxy.url, 'HTTPS_PROXY', false);
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = timers();
  const socket = await openTunnel(to, { host: 'vault.test', port: port() }, 60_000, signal);
  expect([timers(), getEventListeners(signal, 'abort')]).toEqual([before, []]);
  socket.destroy();
  proxy.instead = 403;
  await expect(openTunnel(to, { host: 'vault.test', port: port() }, 60_000, signal)).rejects.toThrow('HTTP 403');
  expect([timers(), getEventListeners(signal, 'abort')]).toEqual([before, []]);
});

it('an agent that is destroyed gives up the ways that are not open yet', async () => {
  const proxy = await started();
  proxy.instead = 'hang';
  const agent = new TunnelAgent({}, Egress.through(HttpProxy.of(proxy.url, 'HTTPS_PROXY', false)), 60_000);
  const outgoing = request({ host: 'vault.test', agent }).end();
  const failed = once(outgoing, 'error');
  await expect.poll(() => proxy.asked).toEqual(['vault.test:443']);
  agent.destroy();
  expect(await failed).toMatchObject([{ failure: 'lost', message: expect.stringContaining('given up') }]);
  await expect.poll(() => proxy.open).toBe(0);
});

it('whatever else befalls a connection to a proxy in plain is no matter of certificates', () => {
  const proxy = HttpProxy.of('http://proxy.test:3128', 'HTTPS_PROXY', true);
  for (const code of ['EMFILE', 'EACCES', 'unknown']) {
    expect(connectionFailure(code, proxy, 'vault.test:8200')).toMatchObject({ failure: 'unreachable', code });
  }
});

it('what is advised keeps what NO_PROXY says in lower case, and tries a proxy with its user', () => {
  const { fix } = refusal(
    403,
    HttpProxy.of('http://us%20er:x@proxy.test:3128', 'HTTPS_PROXY', true),
    'vault.test:8200',
  );
  expect(fix).toContain('curl -v -x http://proxy.test:3128 -U USER https://vault.test:8200');
  expect(fix).toMatch(/export NO_PROXY="\$\{NO_PROXY:-\$no_proxy\},vault\.test"$/);
});
