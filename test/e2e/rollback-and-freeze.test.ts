import { copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadConfig } from '../../src/compose/config.ts';
import { serve } from '../../src/compose/serve.ts';
import { AnswerOpener } from '../../src/sealed/answer.ts';
import { ServerLog } from '../../src/server/log/server-log.ts';
import { TestCa } from '../fakes/ca.ts';
import { TestInstance } from './instance.ts';

let keyturn: TestInstance;

beforeEach(async () => {
  keyturn = await TestInstance.start();
});

afterEach(() => keyturn.stop());

test('a frozen principal reads nothing, and the try is on the log', async () => {
  const auditor = await keyturn.grant('person:mallory', 'auditor', { credentials: ['**'] });
  expect((await keyturn.call('GET', '/v1/audit/entries', { token: auditor })).status).toBe(200);
  const json = { target: 'principal', subject: 'person:mallory', reason: 'token seen elsewhere' };
  expect((await keyturn.call('POST', '/v1/holds', { json })).status).toBe(201);
  const lists = ['/v1/credentials', '/v1/holds', '/v1/rotations', '/v1/rotations/forecast', '/v1/tasks'];
  for (const path of ['/v1/audit/entries', '/v1/tokens', ...lists]) {
    const reply = await keyturn.call('GET', path, { token: auditor });
    expect([path, reply.status, reply.body['code']]).toEqual([path, 403, 'held']);
  }
  expect(await keyturn.entries('access.denied')).toHaveLength(7);
});

test('a client that has seen more than the log holds is told that the log is not the one it knew', async () => {
  const ca = await TestCa.create();
  const issued = await ca.client();
  const pems = {
    'all.pem': Buffer.from(issued.keyPem + issued.certificatePem + ca.chainPem),
  };
  expect((await keyturn.import('lean/sandbox', pems)).status).toBe(201);
  const payments = await keyturn.grant('service:payments', 'service');
  const json = { hpkePublicKey: AnswerOpener.generate().publicKey, seen: 1_000_000 };
  const reply = await keyturn.call('POST', '/v1/credentials/lean%2Fsandbox/leases', { token: payments, json });
  expect(reply).toMatchObject({ status: 409, body: { code: 'log_forked' } });
  expect(await keyturn.entries('lease.granted')).toHaveLength(0);
});

test('an older ledger refuses to start until its loss is accepted, and that is recorded', async () => {
  const ledger = join(keyturn.home, 'ledger', 'ledger.db');
  await keyturn.serving.stop();
  await copyFile(ledger, join(keyturn.home, 'older.db'));
  keyturn.serving = await quietly();
  await keyturn.token('service:lost');
  await keyturn.serving.stop();
  await copyFile(join(keyturn.home, 'older.db'), ledger);
  await expect(quietly()).rejects.toMatchObject({ code: 'ledger_corrupt' });
  keyturn.serving = await quietly({ acceptRollback: true });
  expect(await keyturn.entries('checkpoint.rollback-accepted')).toHaveLength(1);
});

test('a start that misses the checkpoint outside leaves an entry', async () => {
  await keyturn.serving.stop();
  await rm(join(keyturn.home, 'checkpoint', 'checkpoint'));
  keyturn.serving = await quietly();
  expect(await keyturn.entries('checkpoint.missing-outside')).toHaveLength(1);
});

async function quietly(options: { acceptRollback?: boolean } = {}) {
  return serve(await loadConfig(keyturn.home), { ...options, log: new ServerLog({ level: 'silent' }) });
}
