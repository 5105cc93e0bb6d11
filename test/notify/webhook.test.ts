import { getEventListeners } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { Egress } from '../../src/core/egress/egress.ts';
import { HttpProxy } from '../../src/core/egress/proxy.ts';
import { patient } from '../../src/notify/patient.ts';
import { Webhook, type WebhookOptions } from '../../src/notify/webhook/webhook.ts';
import { ConnectProxy } from '../fakes/egress/connect-proxy.ts';
import { WebhookReceiver } from '../fakes/people/webhook-receiver.ts';
import { NEVER, noticeFor } from './notice.ts';

const SECRET = 'correct horse battery staple';

let folder: string;
let receiver: WebhookReceiver;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keyturn-webhook-'));
  receiver = await WebhookReceiver.start();
  await writeFile(join(folder, 'secret'), `${SECRET}\n`, { mode: 0o600 });
  await writeFile(join(folder, 'ca.pem'), receiver.ca);
});
afterEach(async () => {
  await receiver.stop();
  await rm(folder, { recursive: true });
});

function options(changes: Partial<WebhookOptions> = {}): WebhookOptions {
  const url = new URL(receiver.url);
  return { url, secretFile: join(folder, 'secret'), timeoutMs: 2_000, clock: systemClock, ...changes };
}

function webhook(changes: Partial<WebhookOptions> = {}): Webhook {
  return new Webhook(options({ caFile: join(folder, 'ca.pem'), ...changes }));
}

test('a notice arrives as JSON, signed with the secret and with no other one', async () => {
  expect(await webhook().send(noticeFor(), NEVER)).toEqual({ sent: true });
  const [got] = receiver.received;
  if (got === undefined) throw new Error('nothing came');
  expect(got.json).toEqual({ v: 1, type: 'task-reminder', ...noticeFor() });
  expect(got.headers).toMatchObject({ 'content-type': 'application/json', 'keyturn-reminder': 'task_1.2' });
  expect(WebhookReceiver.isSignedBy(got, SECRET)).toBe(true);
  expect(WebhookReceiver.isSignedBy(got, `${SECRET}.`)).toBe(false);
  expect(WebhookReceiver.isSignedBy({ ...got, body: got.body.replace('lean', 'bank') }, SECRET)).toBe(false);
  const seconds = Number(/t=([0-9]+)/.exec(String(got.headers['keyturn-signature']))?.[1]);
  expect(Math.abs(seconds - Date.now() / 1000)).toBeLessThan(60);
});

test('another secret in the file counts from the next notice on', async () => {
  await webhook().send(noticeFor(), NEVER);
  await writeFile(join(folder, 'secret'), 'another one of sixteen octets');
  await webhook().send(noticeFor(), NEVER);
  const signed = receiver.received.map((got) => WebhookReceiver.isSignedBy(got, SECRET));
  expect(signed).toEqual([true, false]);
});

test('nobody is followed elsewhere', async () => {
  const elsewhere = await WebhookReceiver.start();
  receiver.status = 307;
  receiver.location = elsewhere.url;
  expect(await webhook().send(noticeFor(), NEVER)).toEqual({ sent: false, cause: 'redirected (307)', again: false });
  expect(elsewhere.received).toEqual([]);
  await elsewhere.stop();
});

test.each([
  [503, true],
  [429, true],
  [400, false],
  [401, false],
])('an answer of %d: another try helps: %s', async (status, again) => {
  receiver.status = status;
  expect(await webhook().send(noticeFor(), NEVER)).toEqual({ sent: false, cause: `status ${status}`, again });
});

test('whoever does not answer holds nothing up for longer than the time-out', async () => {
  receiver.status = 0;
  const begun = performance.now();
  expect(await webhook({ timeoutMs: 200 }).send(noticeFor(), NEVER)).toMatchObject({ sent: false, again: true });
  expect(performance.now() - begun).toBeLessThan(1_500);
});

test('a receiver whose certificate nobody vouches for gets nothing', async () => {
  const delivery = await new Webhook(options()).send(noticeFor(), NEVER);
  expect(delivery).toMatchObject({ sent: false, cause: expect.stringMatching(/^UNABLE_TO_|^SELF_SIGNED|^DEPTH_ZERO/) });
  expect(receiver.received).toEqual([]);
});

test('without a secret, or with one that everybody may read or that is short, nothing is sent', async () => {
  const failed = { sent: false, cause: 'secret-file or ca', again: false };
  await chmod(join(folder, 'secret'), 0o644);
  expect(await webhook().send(noticeFor(), NEVER)).toEqual(failed);
  await chmod(join(folder, 'secret'), 0o600);
  await writeFile(join(folder, 'secret'), 'short\n');
  expect(await webhook().send(noticeFor(), NEVER)).toEqual(failed);
  await rm(join(folder, 'secret'));
  expect(await webhook().send(noticeFor(), NEVER)).toEqual(failed);
  expect(receiver.received).toEqual([]);
});

test('what may go better is tried again, what can’t is not', async () => {
  receiver.status = 503;
  expect(await patient(webhook(), 1).send(noticeFor(), NEVER)).toMatchObject({ sent: false });
  expect(receiver.received).toHaveLength(3);
  receiver.status = 400;
  await patient(webhook(), 1).send(noticeFor(), NEVER);
  expect(receiver.received).toHaveLength(4);
});

test('behind a proxy a notice passes in a tunnel, and a proxy that opens none is named without its password', async () => {
  await using proxy = await ConnectProxy.start({ login: 'keyturn:canary-password' });
  const egress = Egress.through(HttpProxy.of(proxy.url, 'HTTPS_PROXY', false));
  expect(await webhook({ egress }).send(noticeFor(), NEVER)).toEqual({ sent: true });
  expect(proxy.asked).toEqual([new URL(receiver.url).host]);
  expect(Buffer.concat(proxy.passed).includes('keyturn-signature')).toBe(false);
  const refused = (says: string) => ({
    sent: false,
    cause: expect.stringMatching(new RegExp(`^The proxy ${proxy.origin} \\(HTTPS_PROXY\\) ${says}`)),
    again: true,
  });
  proxy.instead = 403;
  expect(await webhook({ egress }).send(noticeFor(), NEVER)).toEqual(refused('refuses the way to localhost'));
  proxy.instead = 'hang';
  expect(await webhook({ egress, timeoutMs: 300 }).send(noticeFor(), NEVER)).toEqual(refused('opened no way to'));
  expect(receiver.received).toHaveLength(1);
});

test('whoever stops while a proxy opens no way is told at once, and no connection to it is left', async () => {
  await using proxy = await ConnectProxy.start();
  proxy.instead = 'hang';
  const egress = Egress.through(HttpProxy.of(proxy.url, 'HTTPS_PROXY', false));
  const stopping = new AbortController();
  const sent = webhook({ egress, timeoutMs: 60_000 }).send(noticeFor(), stopping.signal);
  await expect.poll(() => proxy.asked).toHaveLength(1);
  stopping.abort();
  expect(await sent).toEqual({ sent: false, cause: 'timeout', again: false });
  await expect.poll(() => proxy.open).toBe(0);
});

test('a notice leaves nothing behind on the signal of the server, which lives as long as it', async () => {
  const { signal } = new AbortController();
  await webhook().send(noticeFor(), signal);
  receiver.status = 503;
  await webhook().send(noticeFor(), signal);
  await webhook({ url: new URL('https://127.0.0.1:9') }).send(noticeFor(), signal);
  expect(getEventListeners(signal, 'abort')).toEqual([]);
});
