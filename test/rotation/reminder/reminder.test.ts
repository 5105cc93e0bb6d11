import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openNotifiers } from '../../../src/compose/notify/open.ts';
import { Reminder } from '../../../src/rotation/reminder/reminder.ts';
import { Stage } from '../../credential/stage.ts';
import { edit } from '../../e2e/instance.ts';
import { Mailbox } from '../../fakes/people/mailbox.ts';
import { WebhookReceiver } from '../../fakes/people/webhook-receiver.ts';

const HOUR = 3_600_000;
const SECRET = 'correct horse battery staple';

let stage: Stage;
let receiver: WebhookReceiver;
let mailbox: Mailbox;
beforeEach(async () => {
  stage = await Stage.set();
  receiver = await WebhookReceiver.start();
  mailbox = await Mailbox.start();
  const { home } = stage.keyturn;
  await writeFile(join(home, 'webhook-secret'), SECRET, { mode: 0o600 });
  await writeFile(join(home, 'webhook-ca.pem'), receiver.ca);
  await writeFile(join(home, 'mail-ca.pem'), mailbox.ca);
  await edit(join(home, 'keyturn.yaml'), (config) => ({
    ...config,
    notify: {
      webhook: { url: receiver.url, 'secret-file': 'webhook-secret', ca: 'webhook-ca.pem', timeout: '1s' },
      mail: {
        host: 'localhost',
        port: mailbox.port,
        ca: 'mail-ca.pem',
        from: 'keyturn@example.com',
        to: { default: ['platform@example.com'], 'person:alice': ['alice@example.com'] },
        'escalate-to': ['lead@example.com'],
      },
    },
  }));
  await stage.keyturn.restart();
  await stage.import();
  // The partner makes the key: a person has a day to upload it.
  await stage.post('/v1/credentials/lean%2Fsandbox/rotation', { json: { reason: 'test' } });
});
afterEach(async () => {
  await stage.strike();
  await receiver.stop();
  await mailbox.stop();
});

function tick(): Promise<void> {
  return stage.keyturn.serving.instance.reminder.tick();
}

function stages(): unknown[] {
  return receiver.received.map(({ json }) => json['stage']);
}

async function entries(): Promise<Record<string, unknown>[]> {
  const found = await stage.desk.ledger.entries({ kind: 'task.reminded' });
  return found.map(({ json }) => (JSON.parse(json) as { data: Record<string, unknown> }).data);
}

test('a person is told at the opening, at half-time, when it is due, then daily, and the second contact with them', async () => {
  for (const hours of [0, 1, 11, 12, 23, 1]) {
    stage.clock.forward(hours * HOUR);
    await tick();
    await tick();
  }
  expect(stages()).toEqual(['opened', 'half-time', 'due', 'overdue']);
  expect(mailbox.received.map(({ to }) => to)).toEqual([
    ['alice@example.com'],
    ['alice@example.com'],
    ['alice@example.com'],
    ['alice@example.com', 'lead@example.com'],
  ]);
  expect(receiver.received.every((got) => WebhookReceiver.isSignedBy(got, SECRET))).toBe(true);
  expect(await entries()).toMatchObject([
    { stage: 'opened', number: 1, escalated: false, by: ['webhook', 'mail'], failed: [] },
    { stage: 'half-time', number: 2 },
    { stage: 'due', number: 3, escalated: false },
    { stage: 'overdue', number: 4, escalated: true },
  ]);
  const [task] = await stage.desk.ledger.find('tasks', {});
  expect(task).toMatchObject({ reminders: 4, state: 'open' });
});

test('after a restart nothing is sent twice', async () => {
  await tick();
  expect(stages()).toEqual(['opened']);
  await stage.keyturn.restart();
  await tick();
  await stage.keyturn.restart();
  await tick();
  expect(stages()).toEqual(['opened']);
  expect(mailbox.received).toHaveLength(1);
});

test('a server that dies between sending and journaling sends once more, under the same id', async () => {
  await stage.keyturn.serving.instance.rotator.tick();
  const release = stage.blockLedger();
  await expect(tick()).rejects.toMatchObject({ code: 'ledger_unavailable' });
  const after = await stage.afterCrash();
  release();
  await after.serving.instance.reminder.tick();
  await after.serving.instance.reminder.tick();
  expect(receiver.received.map(({ json }) => json['number'])).toEqual([1, 1]);
  expect(new Set(receiver.received.map(({ json }) => json['id'])).size).toBe(1);
  expect(await after.serving.instance.desk.ledger.entries({ kind: 'task.reminded' })).toHaveLength(1);
  await after.stop();
});

test('of two servers that look at once one sends', async () => {
  const { desk, config } = stage.keyturn.serving.instance;
  const other = new Reminder({ desk, notifiers: await openNotifiers(config.notify, desk.clock) });
  await Promise.all([tick(), other.tick()]);
  await other.tick();
  expect(stages()).toEqual(['opened']);
  expect(mailbox.received).toHaveLength(1);
});

test('what is closed is spoken of no more', async () => {
  await stage.keyturn.serving.instance.rotator.tick();
  const abort = '/v1/credentials/lean%2Fsandbox/rotation/abort';
  expect(await stage.post(abort, { json: { reason: 'test' } })).toMatchObject({ status: 200 });
  await tick();
  expect(stages()).toEqual([]);
});

test('a way that fails holds up neither the other nor the rotation, is told once, and is made up for', async () => {
  receiver.status = 503;
  await tick();
  expect(mailbox.received).toHaveLength(1);
  expect(receiver.received).toHaveLength(3);
  expect(await entries()).toMatchObject([{ by: ['mail'], failed: ['webhook'] }]);
  await tick();
  expect(receiver.received).toHaveLength(3);
  receiver.status = 204;
  stage.clock.forward(31_000);
  await tick();
  await tick();
  expect(receiver.received).toHaveLength(4);
  expect(mailbox.received).toHaveLength(1);
  const failures = stage.keyturn.log.filter((line) => line.includes('notify-failed'));
  expect(failures).toHaveLength(1);
  expect(failures[0]).toContain('status 503');
  const { text } = await stage.keyturn.call('GET', '/metrics', { token: null });
  expect(text).toMatch(/keyturn_reminders_total\{by="webhook",result="failed"\} 1/);
  expect(text).toMatch(/keyturn_reminders_total\{by="webhook",result="sent"\} 1/);
});

test('where nobody can be reached the reminder stays due', async () => {
  receiver.status = 500;
  mailbox.refuse = 554;
  await tick();
  expect(await entries()).toEqual([]);
  receiver.status = 204;
  mailbox.refuse = 0;
  stage.clock.forward(31_000);
  await tick();
  expect(await entries()).toMatchObject([{ number: 1, by: ['webhook', 'mail'] }]);
  expect(mailbox.received).toHaveLength(1);
});

test('a server that is stopped does not wait for a receiver that does not answer', async () => {
  receiver.status = 0;
  const round = tick();
  await expect.poll(() => receiver.received.length).toBe(1);
  const begun = performance.now();
  await stage.keyturn.serving.instance.reminder.stop();
  expect(performance.now() - begun).toBeLessThan(900);
  await round;
  expect(await entries()).toEqual([]);
});

test('an address that the mail server refuses is told in the log, once, and the reminder counts', async () => {
  mailbox.unknown.add('lead@example.com');
  for (const hours of [0, 48, 24, 24, 24]) {
    stage.clock.forward(hours * HOUR);
    await tick();
  }
  const told = stage.keyturn.log
    .join('')
    .split('\n')
    .filter((line) => line.includes('"notify-failed"'));
  expect(told.map((line) => JSON.parse(line))).toEqual([
    expect.objectContaining({ by: 'mail', cause: 'not to lead@example.com' }),
  ]);
  const overdue = (await entries()).filter(({ stage }) => stage === 'overdue');
  expect(overdue.length).toBeGreaterThan(1);
  expect(overdue.at(-1)).toMatchObject({ by: ['webhook', 'mail'], failed: [] });
});
