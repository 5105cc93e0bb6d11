import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Mail, type MailOptions } from '../../src/notify/mail/mail.ts';
import { Mailbox, type MailboxOptions } from '../fakes/people/mailbox.ts';
import { NEVER, noticeFor } from './notice.ts';

const USER = { user: 'keyturn', password: 'open sesame' } as const;

let folder: string;
let mailbox: Mailbox;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keyturn-mail-'));
});
afterEach(async () => {
  await mailbox.stop();
  await rm(folder, { recursive: true });
});

async function mail(server: MailboxOptions = {}, changes: Partial<MailOptions> = {}): Promise<Mail> {
  mailbox = await Mailbox.start(server);
  await writeFile(join(folder, 'ca.pem'), mailbox.ca);
  await writeFile(join(folder, 'password'), `${USER.password}\n`, { mode: 0o600 });
  return new Mail({
    host: 'localhost',
    port: mailbox.port,
    tls: server.implicit === true ? 'implicit' : 'starttls',
    caFile: join(folder, 'ca.pem'),
    from: 'Keyturn <keyturn@example.com>',
    to: { default: ['platform@example.com'], support: ['banking@example.com', 'on-call@example.com'] },
    escalateTo: ['lead@example.com'],
    timeoutMs: 5_000,
    ...(server.user === undefined ? {} : { user: server.user, passwordFile: join(folder, 'password') }),
    ...changes,
  });
}

/** Lines that were folded or encoded for the way, as they were. */
function readable(raw: string): string {
  return raw.replaceAll('=\r\n', '').replaceAll('\r\n', '\n');
}

test('a mail says what is to be done, until when, and has the text ready to send', async () => {
  expect(await (await mail()).send(noticeFor(), NEVER)).toEqual({ sent: true });
  const [got] = mailbox.received;
  expect(got).toMatchObject({
    from: 'keyturn@example.com',
    to: ['banking@example.com', 'on-call@example.com'],
    secure: true,
  });
  const text = readable(got?.raw ?? '');
  expect(text).toMatch(/^Subject: \[Keyturn\] Reminder: Have certificate 1a of lean\/sandbox revoked$/m);
  expect(text).toMatch(/^Message-ID: <task_1\.2@example\.com>$/m);
  expect(text).toMatch(/^Auto-Submitted: auto-generated$/m);
  expect(text).toContain('1. Send the text below to Lean.');
  expect(text).toContain('    Please revoke.\n    Thank you.');
  expect(text).toContain('Due:        2026-03-04T00:00:00.000Z');
});

test('whoever has no address of their own is told by default; what is overdue, the second contact as well', async () => {
  const sender = await mail();
  await sender.send(noticeFor({ owner: 'person:alice' }), NEVER);
  await sender.send(noticeFor({ owner: 'constructor', escalated: true, stage: 'overdue' }), NEVER);
  expect(mailbox.received.map(({ to }) => to)).toEqual([
    ['platform@example.com'],
    ['platform@example.com', 'lead@example.com'],
  ]);
});

test('with name and password, over TLS from the first octet or upgraded', async () => {
  await (await mail({ ...USER, implicit: true })).send(noticeFor(), NEVER);
  expect(mailbox.received).toMatchObject([{ secure: true, user: 'keyturn' }]);
  await mailbox.stop();
  await (await mail(USER)).send(noticeFor(), NEVER);
  expect(mailbox.received).toMatchObject([{ secure: true, user: 'keyturn' }]);
});

test('a wrong password is said, and not tried again', async () => {
  const sender = await mail(USER);
  await writeFile(join(folder, 'password'), 'wrong');
  expect(await sender.send(noticeFor(), NEVER)).toEqual({ sent: false, cause: 'EAUTH (535)', again: false });
  expect(mailbox.received).toEqual([]);
});

test('a server that offers no TLS gets neither password nor mail', async () => {
  const sender = await mail({ ...USER, plain: true });
  expect(await sender.send(noticeFor(), NEVER)).toMatchObject({ sent: false });
  expect(mailbox.received).toEqual([]);
});

test('a server whose certificate nobody vouches for gets nothing', async () => {
  const sender = await mail();
  const other = await Mailbox.start();
  await writeFile(join(folder, 'ca.pem'), other.ca);
  await other.stop();
  expect(await sender.send(noticeFor(), NEVER)).toMatchObject({ sent: false });
  expect(mailbox.received).toEqual([]);
});

test.each([
  [451, true],
  [554, false],
])('refused with %d: another try helps: %s', async (status, again) => {
  const sender = await mail();
  mailbox.refuse = status;
  const delivery = await sender.send(noticeFor(), NEVER);
  expect(delivery).toEqual({
    sent: false,
    cause: expect.stringMatching(new RegExp(`^E[A-Z]+ \\(${status}\\)$`)),
    again,
  });
});

test('an address that the server refuses is told, though the others got it', async () => {
  const sender = await mail();
  mailbox.unknown.add('on-call@example.com');
  expect(await sender.send(noticeFor(), NEVER)).toEqual({ sent: true, short: 'not to on-call@example.com' });
  expect(mailbox.received.map(({ to }) => to)).toEqual([['banking@example.com']]);
  mailbox.unknown.add('banking@example.com');
  expect(await sender.send(noticeFor(), NEVER)).toEqual({ sent: false, cause: 'EENVELOPE (550)', again: false });
});

test('a title can’t begin another header', async () => {
  await (await mail()).send(noticeFor({ title: 'x\r\nBcc: eve@example.com\r\n\r\nhello' }), NEVER);
  const [got] = mailbox.received;
  expect(got?.to).not.toContain('eve@example.com');
  expect(got?.raw.split('\r\n\r\n')[0]).not.toMatch(/^Bcc:/m);
});
