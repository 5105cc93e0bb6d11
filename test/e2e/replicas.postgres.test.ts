import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { loadConfig } from '../../src/compose/config.ts';
import { moveToPostgres } from '../../src/compose/ledger/move-to-postgres.ts';
import { cannotAsk } from '../../src/compose/master-key.ts';
import { doChores } from '../../src/compose/serve.ts';
import { OPENER, Stage } from '../credential/stage.ts';
import { PostgresCluster } from '../fakes/postgres/cluster.ts';
import { edit, type Reply, TestInstance } from './instance.ts';

/** For a machine that is busy. */
const PATIENT = { timeout: 15_000 };

let cluster: PostgresCluster;
let stage: Stage;
let one: TestInstance;
let other: TestInstance;
let payments: string;

beforeAll(async () => {
  cluster = await PostgresCluster.start();
});
afterAll(() => cluster[Symbol.asyncDispose]());

/** An instance that began on a file, was moved, and is served by two servers over one database. */
beforeEach(async () => {
  stage = await Stage.set();
  one = stage.keyturn;
  payments = await one.grant('service:payments', 'service');
  await stage.import();
  await one.serving.stop();
  const { host, port, database, user, passwordFile = '' } = await cluster.database();
  const config = await loadConfig(one.home);
  const setting = { host, port: port ?? 0, database, user, 'password-file': passwordFile };
  await moveToPostgres(config, setting, cannotAsk);
  const copy = await stage.copyOfDisk();
  await one.restart();
  other = await TestInstance.open(copy);
});
afterEach(async () => {
  await other.stop();
  await stage.strike();
});

function lease(at: TestInstance, token = payments): Promise<Reply> {
  return at.call('POST', '/v1/credentials/lean%2Fsandbox/leases', {
    token,
    json: { hpkePublicKey: OPENER.publicKey, seen: 0 },
  });
}

test('both lend, and each entry is on the one log', async () => {
  const leases = await Promise.all([one, other, one, other].map((at) => lease(at)));
  expect(leases.map(({ status }) => status)).toEqual([201, 201, 201, 201]);
  const { ledger } = other.serving.instance.desk;
  expect(await ledger.entries({ kind: 'lease.granted' })).toHaveLength(4);
  expect(await ledger.entries({ kind: 'ledger.moved' })).toHaveLength(1);
});

test('a freeze on one stops the other, also in its memory', async () => {
  const frozen = await one.call('POST', '/v1/holds', {
    json: { target: 'credential', subject: 'lean/sandbox', reason: 'test' },
  });
  expect(frozen.status).toBe(201);
  await expect.poll(async () => (await lease(other)).body['code'], PATIENT).toBe('held');
  const { holds } = other.serving.instance.desk;
  await expect.poll(() => holds.isHeld('credential', 'lean/sandbox'), PATIENT).toBe(true);
});

test('a token made on one is known to the other, and one revoked there is known to be', async () => {
  const made = await one.call('POST', '/v1/tokens', {
    json: { principal: 'service:payments', ttlSeconds: 3600, comment: 'second' },
  });
  const { id, token } = made.body as { id: string; token: string };
  const { book } = other.serving.instance;
  await expect.poll(() => book.stands(id), PATIENT).toBe(true);
  expect((await lease(other, token)).status).toBe(201);
  await one.call('DELETE', `/v1/tokens/${id}`);
  await expect.poll(() => book.stands(id), PATIENT).toBe(false);
  expect((await lease(other, token)).status).toBe(401);
});

test('a server whose policy is not the one in force says so in its readiness, and takes its files up when they are there', async () => {
  const bindings = (at: TestInstance) => join(at.home, 'policies', 'access', 'bindings.yaml');
  await edit(bindings(one), (file) => ({ bindings: (file['bindings'] as unknown[]).slice(0, -1) }));
  expect((await one.call('POST', '/v1/policy/reload')).status).toBe(200);
  await expect.poll(async () => (await other.call('GET', '/readyz')).status, PATIENT).toBe(503);
  const { body } = await other.call('GET', '/readyz');
  expect(body['checks']).toContainEqual(expect.objectContaining({ name: 'policy', ready: false }));
  await writeFile(bindings(other), await readFile(bindings(one)));
  await expect.poll(async () => (await other.call('GET', '/readyz')).status, PATIENT).toBe(200);
});

test('a server whose partner profiles are not those in force says so as well, and takes them up', async () => {
  const profile = (at: TestInstance) => join(at.home, 'policies', 'partners', 'lean.yaml');
  await edit(profile(one), (content) => ({ ...content, title: 'Another one' }));
  expect((await one.call('POST', '/v1/policy/reload')).status).toBe(200);
  await expect.poll(async () => (await other.call('GET', '/readyz')).status, PATIENT).toBe(503);
  expect((await one.call('GET', '/readyz')).status).toBe(200);
  const titleOf = (at: TestInstance) => at.serving.instance.desk.profiles().profile('lean').title;
  expect([titleOf(one), titleOf(other)]).toEqual(['Another one', 'Lean Technologies']);
  await writeFile(profile(other), await readFile(profile(one)));
  await expect.poll(() => titleOf(other), PATIENT).toBe('Another one');
  await expect.poll(async () => (await other.call('GET', '/readyz')).status, PATIENT).toBe(200);
});

test('chores are done by one at a time, and what both come to is done once', async () => {
  await Promise.all([doChores(one.serving.instance), doChores(other.serving.instance)]);
  expect((await lease(one)).status).toBe(201);
});

test('the database restarts: readiness goes red, or the wait is short; then both lend again', async () => {
  expect((await lease(one)).status).toBe(201);
  await cluster.restart();
  for (const at of [one, other]) {
    await expect.poll(async () => (await at.call('GET', '/readyz')).status, PATIENT).toBe(200);
    await expect.poll(async () => (await lease(at)).status, PATIENT).toBe(201);
  }
});
