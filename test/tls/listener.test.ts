import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { SecureVersion, TLSSocket } from 'node:tls';
import fc from 'fast-check';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { createListener, LISTENER_CONTEXT, LISTENER_LIMITS, type ListenerLimits } from '../../src/tls/listener.ts';
import { type Issued, TestCa } from '../fakes/ca.ts';
import { connected, connectedTcp, exchange, listening, stopped } from './connect.ts';

let ca: TestCa;
let identity: Issued;
let alice: Issued;
let bob: Issued;
const running: Server[] = [];

beforeAll(async () => {
  ca = await TestCa.create();
  identity = await ca.server();
  alice = await ca.client({ commonName: 'alice' });
  bob = await ca.client({ commonName: 'bob' });
});

afterEach(async () => {
  await Promise.all(running.splice(0).map(stopped));
});

const VERSIONS: SecureVersion[] = ['TLSv1.2', 'TLSv1.3'];

function whoIsIt(request: { socket: unknown }, response: { end(text: string): void }): void {
  const { subject } = (request.socket as TLSSocket).getPeerCertificate();
  response.end(`peer=${String(subject?.CN ?? 'nobody')}`);
}

async function listener(limits: Partial<ListenerLimits> = {}): Promise<number> {
  const server = createListener(whoIsIt, { limits, askForClientCertificate: true });
  server.setSecureContext({
    ...LISTENER_CONTEXT,
    ca: ca.certificatePem,
    cert: identity.certificatePem,
    key: identity.keyPem,
  });
  running.push(server);
  return listening(server);
}

/** Node's defaults: what the same client can do when sessions are not turned off. */
async function looseListener(): Promise<number> {
  const server = createServer(
    {
      ca: ca.certificatePem,
      cert: identity.certificatePem,
      key: identity.keyPem,
      requestCert: true,
      rejectUnauthorized: false,
    },
    whoIsIt,
  );
  running.push(server);
  return listening(server);
}

function as(client: Issued | null, version: SecureVersion, session?: Buffer) {
  return {
    ca: ca.certificatePem,
    servername: 'localhost',
    minVersion: version,
    maxVersion: version,
    ...(client === null ? {} : { cert: client.certificatePem, key: client.keyPem }),
    ...(session === undefined ? {} : { session }),
  };
}

test.each(VERSIONS)(
  '%s: a session of alice gives neither her, nor bob, nor a client without certificate a resumption',
  async (version) => {
    const port = await listener();
    const { session, answer } = await exchange(port, as(alice, version));
    expect(answer).toContain('peer=alice');
    for (const [client, seen] of [
      [alice, 'alice'],
      [bob, 'bob'],
      [null, 'nobody'],
    ] as const) {
      const again = await exchange(port, as(client, version, session));
      expect(again.reused).toBe(false);
      expect(again.answer).toContain(`peer=${seen}`);
    }
  },
);

test.each(VERSIONS)('%s: against default options the same steps do resume, and show alice for bob', async (version) => {
  const port = await looseListener();
  const { session } = await exchange(port, as(alice, version));
  const again = await exchange(port, as(bob, version, session));
  expect(again.reused).toBe(true);
  expect(again.answer).toContain('peer=alice');
});

test('HTTP/2 is never selected', async () => {
  const port = await listener();
  const trust = { ca: ca.certificatePem, servername: 'localhost' };
  const both = await connected(port, { ...trust, ALPNProtocols: ['h2', 'http/1.1'] });
  expect(both.alpnProtocol).toBe('http/1.1');
  both.destroy();
  await expect(connected(port, { ...trust, ALPNProtocols: ['h2'] })).rejects.toMatchObject({
    code: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL',
  });
});

test('TLS 1.1, and a TLS 1.2 suite without forward secrecy, are refused', async () => {
  const port = await listener();
  const trust = { ca: ca.certificatePem, servername: 'localhost' };
  const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const;
  await expect(connected(port, { ...trust, ...old })).rejects.toMatchObject({
    code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
  });
  const cbc = { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA256' } as const;
  await expect(connected(port, { ...trust, ...cbc })).rejects.toMatchObject({ code: /HANDSHAKE_FAILURE/ });
});

test('the limits in force are the documented ones', () => {
  const server = createListener(whoIsIt);
  expect(server).toMatchObject({
    headersTimeout: 10_000,
    requestTimeout: 15_000,
    keepAliveTimeout: 60_000,
    maxRequestsPerSocket: 1_000,
    maxConnections: 10_240,
  });
  expect(LISTENER_LIMITS.checkIntervalMs).toBe(1_000);
});

test('headers that trickle in are answered 408 and the connection is closed', async () => {
  const port = await listener({ headersTimeoutMs: 60, requestTimeoutMs: 10_000, checkIntervalMs: 20 });
  const socket = await connected(port, as(null, 'TLSv1.3'));
  socket.write('GET / HTTP/1.1\r\nHost: loc');
  expect(Buffer.concat(await socket.toArray()).toString()).toMatch(/^HTTP\/1\.1 408 /);
});

test('a body that never ends is cut off', async () => {
  const port = await listener({ headersTimeoutMs: 60, requestTimeoutMs: 80, checkIntervalMs: 20 });
  const socket = await connected(port, as(null, 'TLSv1.3'));
  socket.write('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc');
  await once(socket.resume(), 'close');
});

test('a TCP connection that never begins a handshake is closed', async () => {
  const port = await listener({ handshakeTimeoutMs: 60 });
  const socket = await connectedTcp(port);
  await once(socket.resume(), 'close');
});

test('an idle connection is closed after its time', async () => {
  const port = await listener({ keepAliveTimeoutMs: 50, checkIntervalMs: 20 });
  const socket = await connected(port, as(null, 'TLSv1.3'));
  socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  expect(Buffer.concat(await socket.toArray()).toString()).toContain('peer=nobody');
});

test('headers beyond the limit are answered 431', async () => {
  const port = await listener();
  const socket = await connected(port, as(null, 'TLSv1.3'));
  socket.write(`GET / HTTP/1.1\r\nHost: localhost\r\nX-Big: ${'a'.repeat(17 * 1024)}\r\n\r\n`);
  expect(Buffer.concat(await socket.toArray()).toString()).toMatch(/^HTTP\/1\.1 431 /);
});

test('a connection above the limit is dropped while those before it go on', async () => {
  const port = await listener({ maxConnections: 1 });
  const first = await connected(port, as(null, 'TLSv1.3'));
  await expect(connected(port, as(null, 'TLSv1.3'))).rejects.toMatchObject({ code: 'ECONNRESET' });
  first.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  expect(Buffer.concat(await first.toArray()).toString()).toContain('peer=nobody');
});

test('malformed first flights leave the listener serving', async () => {
  const port = await listener({ handshakeTimeoutMs: 50 });
  const hello = await clientHello();
  const spoil = fc.record({
    at: fc.nat(hello.length - 1),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }),
    cut: fc.integer({ min: 1, max: hello.length }),
  });
  await fc.assert(
    fc.asyncProperty(spoil, async ({ at, bytes, cut }) => {
      const flight = Buffer.from(hello);
      flight.set(bytes.subarray(0, hello.length - at), at);
      const socket = await connectedTcp(port);
      socket.on('error', () => {});
      socket.resume().end(flight.subarray(0, cut));
      await new Promise((resolve) => socket.once('close', resolve));
    }),
    { numRuns: 300 },
  );
  expect((await exchange(port, as(alice, 'TLSv1.3'))).answer).toContain('peer=alice');
});

/** The octets with which a TLS client begins, taken off the wire. */
async function clientHello(): Promise<Buffer> {
  const { createServer: createTcpServer } = await import('node:net');
  const { connect } = await import('node:tls');
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect({
    port: (server.address() as { port: number }).port,
    host: '127.0.0.1',
    servername: 'localhost',
  });
  client.on('error', () => {});
  const [socket] = await once(server, 'connection');
  const [octets] = await once(socket, 'data');
  socket.destroy();
  server.close();
  return octets;
}
