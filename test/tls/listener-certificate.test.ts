import { X509Certificate } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';
import { inspect } from 'node:util';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import type { Clock } from '../../src/core/clock.ts';
import { KeyturnError } from '../../src/core/errors.ts';
import { createServerCa, openServerCa, type ServerCa } from '../../src/tls/ca.ts';
import { caSource } from '../../src/tls/ca-source.ts';
import { createListener, LISTENER_CONTEXT } from '../../src/tls/listener.ts';
import {
  ListenerCertificate,
  type ListenerCertificateEvent,
  type Schedule,
} from '../../src/tls/listener-certificate.ts';
import type { ServerIdentitySource } from '../../src/tls/server-identity.ts';
import { connected, exchange, listening, stopped } from './connect.ts';

const DAY = 86_400_000;
const MINUTE = 60_000;
/** Five days ago, so that a certificate renewed on the fifth day is one that a real client accepts. */
const START = Math.floor(Date.now() / 1000) * 1000 - 5 * DAY;

let now: number;
let ca: ServerCa;
const clock: Clock = { now: () => now, monotonic: () => now };

beforeAll(async () => {
  const made = await createServerCa({ commonName: 'test', now: START });
  using key = made.privateKey;
  ca = openServerCa(made.certificatePem, key);
});

beforeEach(() => {
  now = START;
});

/** Timers by hand: `fire` runs the one that is pending and waits until the next is set, or nothing more happens. */
class HandTimer {
  delays: number[] = [];
  #task: (() => void) | null = null;
  #set: () => void = () => {};

  readonly schedule: Schedule = (delayMs, task) => {
    this.delays.push(delayMs);
    this.#task = task;
    this.#set();
    return () => {
      this.#task = null;
    };
  };

  get pending(): boolean {
    return this.#task !== null;
  }

  async fire(): Promise<void> {
    const task = this.#task;
    if (task === null) throw new Error('no timer is pending');
    this.#task = null;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#set = resolve;
    task();
    await promise;
  }
}

async function attached(source: ServerIdentitySource) {
  const server = createListener((_, response) => response.end('hello'));
  const timer = new HandTimer();
  const events: ListenerCertificateEvent[] = [];
  const certificate = await ListenerCertificate.attach(server, LISTENER_CONTEXT, {
    source,
    clock,
    schedule: timer.schedule,
    onEvent: (event) => events.push(event),
  });
  return { server, timer, events, certificate };
}

async function shownSerial(port: number): Promise<string> {
  const socket = await connected(port, { ca: ca.certificatePem, servername: 'localhost' });
  const serial = socket.getPeerX509Certificate()?.serialNumber ?? '';
  socket.destroy();
  return serial;
}

test('the certificate is renewed at two thirds of its life, and not before', async () => {
  const { server, timer, events, certificate } = await attached(caSource({ ca, names: ['localhost'] }));
  const port = await listening(server);
  const first = await shownSerial(port);
  expect(certificate.notAfter).toBe(START + 7 * DAY);

  now = START + 4.6 * DAY;
  await timer.fire();
  expect(await shownSerial(port)).toBe(first);

  now = START + 4.7 * DAY;
  await timer.fire();
  expect(await shownSerial(port)).not.toBe(first);
  expect(certificate.notAfter).toBe(now + 7 * DAY);
  expect(events).toEqual([{ kind: 'renewed', notAfter: now + 7 * DAY }]);
  expect(new Set(timer.delays)).toEqual(new Set([MINUTE]));
  certificate.close();
  await stopped(server);
});

test('a renewal leaves a running connection alone and keeps the context options', async () => {
  const { server, timer, certificate } = await attached(caSource({ ca, names: ['localhost'] }));
  const port = await listening(server);
  const before = await connected(port, { ca: ca.certificatePem, servername: 'localhost' });
  const held = await exchange(port, { ca: ca.certificatePem, servername: 'localhost' });
  now = START + 5 * DAY;
  await timer.fire();

  before.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  expect(Buffer.concat(await before.toArray()).toString()).toContain('hello');
  const after = await exchange(port, { ca: ca.certificatePem, servername: 'localhost', ...sessionOf(held) });
  expect(after.reused).toBe(false);
  const second = await exchange(port, { ca: ca.certificatePem, servername: 'localhost', ...sessionOf(after) });
  expect(second.reused).toBe(false);
  certificate.close();
  await stopped(server);
});

function sessionOf(exchanged: { readonly session: Buffer | undefined }): { session?: Buffer } {
  return exchanged.session === undefined ? {} : { session: exchanged.session };
}

test('failures leave the old certificate in force, are told, and are retried after 1, 2, 4 … 60 s', async () => {
  const inner = caSource({ ca, names: ['localhost'] });
  let broken = false;
  const { server, timer, events, certificate } = await attached({
    description: 'source that breaks',
    due: (inForce, at) =>
      broken ? Promise.reject(new KeyturnError('keystore_unavailable', 'away')) : inner.due(inForce, at),
  });
  const port = await listening(server);
  const first = await shownSerial(port);
  now = START + 5 * DAY;
  broken = true;
  for (let i = 0; i < 8; i += 1) await timer.fire();
  expect(timer.delays.slice(1)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, MINUTE, MINUTE]);
  expect(events.every((event) => event.kind === 'failed')).toBe(true);
  expect(await shownSerial(port)).toBe(first);
  expect(certificate.notAfter).toBe(START + 7 * DAY);

  broken = false;
  await timer.fire();
  expect(events.at(-1)).toEqual({ kind: 'renewed', notAfter: now + 7 * DAY });
  expect(await shownSerial(port)).not.toBe(first);
  broken = true;
  await timer.fire();
  expect(timer.delays.at(-1)).toBe(1_000);
  certificate.close();
  await stopped(server);
});

test('a listener whose source gives nothing at first does not start', async () => {
  const failing: ServerIdentitySource = {
    description: 'nothing',
    due: () => Promise.reject(new KeyturnError('config_invalid', 'nothing there')),
  };
  await expect(attached(failing)).rejects.toMatchObject({ code: 'config_invalid' });
  const empty: ServerIdentitySource = { description: 'empty', due: () => Promise.resolve(null) };
  await expect(attached(empty)).rejects.toMatchObject({ code: 'internal' });
});

test('once closed it neither renews nor leaves a timer, even when a look was under way', async () => {
  const { promise, resolve } = Promise.withResolvers<null>();
  const inner = caSource({ ca, names: ['localhost'] });
  const { timer, certificate } = await attached({
    description: 'slow',
    due: (inForce, at) => (inForce === null ? inner.due(inForce, at) : promise),
  });
  const look = timer.fire();
  certificate.close();
  resolve(null);
  await Promise.race([look, new Promise((done) => setImmediate(done))]);
  expect(timer.pending).toBe(false);
});

test('the key is wiped once the context stands, and the server object shows nothing of it', async () => {
  const contexts: SecureContextOptions[] = [];
  const inner = caSource({ ca, names: ['localhost'] });
  let line = '';
  const source: ServerIdentitySource = {
    description: 'watched',
    async due(inForce, at) {
      const identity = await inner.due(inForce, at);
      line = identity?.privateKeyPem.bytes.toString('ascii', 40, 60) ?? line;
      return identity;
    },
  };
  const { server, certificate } = await attached(source);
  certificate.close();
  expect(line).toMatch(/^[A-Za-z0-9+/\n]{20}$/);
  const shown = inspect(server, { depth: null, showHidden: true, maxArrayLength: null });
  expect(shown).not.toContain(line);
  expect(shown).not.toContain((Buffer.from(line).toString('hex').match(/../g) ?? []).join(' '));

  const watcher = await ListenerCertificate.attach(
    { setSecureContext: (options) => contexts.push(options) },
    {},
    {
      source,
      clock,
      schedule: new HandTimer().schedule,
    },
  );
  watcher.close();
  expect(new X509Certificate(String(contexts[0]?.cert)).subject).toBe('CN=Keyturn server');
  expect(Buffer.from(contexts[0]?.key as Buffer).every((octet) => octet === 0)).toBe(true);
});
