import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { edit, type TestInstance } from '../../e2e/instance.ts';
import { Mailbox } from '../../fakes/people/mailbox.ts';
import { WebhookReceiver } from '../../fakes/people/webhook-receiver.ts';
import { type Keyturn, served } from '../keyturn.ts';

const SECRET = 'correct horse battery staple';

let keyturn: Keyturn;
let instance: TestInstance;
let stop: () => Promise<void>;
let receiver: WebhookReceiver;
let mailbox: Mailbox;

beforeEach(async () => {
  ({ keyturn, instance, stop } = await served());
  receiver = await WebhookReceiver.start();
  mailbox = await Mailbox.start();
  keyturn.guard(SECRET);
});
afterEach(async () => {
  await stop();
  await receiver.stop();
  await mailbox.stop();
});

async function configure(changes: object = {}): Promise<void> {
  const { home } = instance;
  await writeFile(join(home, 'webhook-secret'), SECRET, { mode: 0o600 });
  await writeFile(join(home, 'webhook-ca.pem'), receiver.ca);
  await writeFile(join(home, 'mail-ca.pem'), mailbox.ca);
  const webhook = { url: receiver.url, 'secret-file': 'webhook-secret', ca: 'webhook-ca.pem', timeout: '1s' };
  const mail = {
    host: 'localhost',
    port: mailbox.port,
    ca: 'mail-ca.pem',
    from: 'keyturn@example.com',
    to: { default: ['platform@example.com'], support: ['banking@example.com'] },
    'escalate-to': ['lead@example.com'],
  };
  await edit(join(home, 'keyturn.yaml'), (config) => ({ ...config, notify: { webhook, mail, ...changes } }));
  await instance.restart();
}

test('each way that is configured gets one test notice, which says that it is one, and what became of each is told', async () => {
  await configure();
  const ran = await keyturn.run(['notify', 'test']);
  expect(ran).toMatchObject({ code: 0, err: '' });
  expect(ran.out).toMatch(/webhook +sent/);
  expect(ran.out).toMatch(/mail +sent/);
  expect(receiver.received).toHaveLength(1);
  const [got] = receiver.received;
  expect(got?.json).toMatchObject({ v: 1, type: 'test', owner: 'default', askedBy: 'person:alice' });
  expect(got !== undefined && WebhookReceiver.isSignedBy(got, SECRET)).toBe(true);
  expect(mailbox.received).toMatchObject([{ to: ['platform@example.com'] }]);
  expect(mailbox.received[0]?.raw).toMatch(/^Subject: \[Keyturn\] Test/m);
  expect(mailbox.received[0]?.raw).toContain('person:alice');
  const asked = await instance.entries('notify.test-asked');
  expect(asked).toMatchObject([{ actor: 'person:alice', data: { by: ['webhook', 'mail'], owner: 'default' } }]);
  expect(await instance.entries('notify.tested')).toMatchObject([
    { actor: 'person:alice', data: { sent: ['webhook', 'mail'], failed: [] } },
  ]);
});

test('one of them by name, to those who are told of the tasks of an owner', async () => {
  await configure();
  const told = await keyturn.json(['notify', 'test', 'mail', '--owner', 'support']);
  expect(told).toMatchObject({ results: [{ by: 'mail', sent: true, cause: null }] });
  expect(mailbox.received).toMatchObject([{ to: ['banking@example.com'] }]);
  expect(receiver.received).toEqual([]);
});

test('a way that does not take it is named with the cause, tried once, and makes the exit code 10', async () => {
  await configure();
  receiver.status = 503;
  const ran = await keyturn.run(['notify', 'test']);
  expect(ran).toMatchObject({ code: 10 });
  expect(ran.out).toMatch(/webhook +not sent +status 503/);
  expect(ran.out).toMatch(/mail +sent/);
  expect(receiver.received).toHaveLength(1);
  expect(await instance.entries('notify.tested')).toMatchObject([
    { data: { sent: ['mail'], failed: [{ by: 'webhook', cause: 'status 503' }] } },
  ]);
});

test('a name that is none, or no way at all, is not found, with what there is', async () => {
  expect(await keyturn.refusal(['notify', 'test'])).toMatchObject({
    exit: 4,
    code: 'not_found',
    fix: expect.stringContaining('notify'),
  });
  await configure();
  const refusal = await keyturn.refusal(['notify', 'test', 'pigeon']);
  expect(refusal).toMatchObject({ exit: 4, code: 'not_found', fix: expect.stringContaining('webhook, mail') });
  expect(await instance.entries('notify.test-asked')).toEqual([]);
});

test('who does not hold notify:test sends nothing, which is on the log', async () => {
  await configure();
  const bob = await instance.grant('person:bob', 'auditor', { credentials: ['**'] });
  const tried = await instance.call('POST', '/v1/notify/test', { token: bob, json: {} });
  expect(tried).toMatchObject({ status: 403, body: { code: 'permission_denied' } });
  expect([receiver.received, mailbox.received]).toEqual([[], []]);
  expect(await instance.entries('access.denied')).toMatchObject([{ actor: 'person:bob' }]);
});
