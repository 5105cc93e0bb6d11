import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Config } from '../../../../src/compose/config.ts';
import type { NotifySetting } from '../../../../src/compose/notify/settings.ts';
import { examineNotify } from '../../../../src/compose/upkeep/examine/notify.ts';
import { TestCa } from '../../../fakes/ca.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keyturn-notify-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function file(name: string, text: string, mode = 0o600): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  await chmod(path, mode);
  return path;
}

function webhook(secretFile: string, caFile?: string): NotifySetting {
  const url = new URL('https://alerts.example.com/keyturn');
  return { webhook: { url, secretFile, timeoutMs: 1, ...(caFile === undefined ? {} : { caFile }) }, mail: null };
}

function examined(notify: NotifySetting) {
  return examineNotify({ notify } as Config);
}

test('nothing is told of ways that are not there', async () => {
  expect(await examined({ webhook: null, mail: null })).toEqual([]);
});

test('a way whose files can be read is well, and where it leads', async () => {
  const ca = await file('ca.crt', (await TestCa.create('Receiver CA')).certificatePem);
  const secret = await file('secret', 's'.repeat(16));
  const mail = { host: 'mail.example.com', port: 587, passwordFile: secret, caFile: ca } as NotifySetting['mail'];
  expect(await examined({ ...webhook(secret, ca), mail })).toMatchObject([
    { name: 'notify by webhook', verdict: 'ok', evidence: 'to alerts.example.com; nothing was sent' },
    { name: 'notify by mail', verdict: 'ok', evidence: 'to mail.example.com:587; nothing was sent' },
  ]);
});

test.each([
  ['that is not there', () => join(folder, 'nowhere'), 'can not be read'],
  ['that others can read', () => file('secret', 's'.repeat(16), 0o644), 'can be read by everybody'],
  ['that is too short', () => file('secret', 'short'), 'holds fewer than 16 octets'],
])('a secret %s is told, before somebody should have been', async (_, make, says) => {
  expect(await examined(webhook(await make()))).toMatchObject([
    { verdict: 'broken', evidence: expect.stringContaining(says), fix: expect.stringMatching(/./) },
  ]);
});

test('a CA file without a certificate is told', async () => {
  const secret = await file('secret', 's'.repeat(16));
  const checks = await examined(webhook(secret, await file('ca.crt', 'nothing')));
  expect(checks).toMatchObject([
    { verdict: 'broken', evidence: expect.stringContaining('ca.crt holds no certificate') },
  ]);
});
