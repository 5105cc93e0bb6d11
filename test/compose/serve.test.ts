import { rm, stat } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { gateReads, OPENER, Stage } from '../credential/stage.ts';

let stage: Stage;
let payments: string;
beforeEach(async () => {
  stage = await Stage.set();
  payments = await stage.keyturn.grant('service:payments', 'service');
  await stage.import();
});
afterEach(() => stage.strike());

async function lease(agent: Agent): Promise<{ status: number; text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  const outgoing = request(new URL('/v1/credentials/lean%2Fsandbox/leases', stage.keyturn.url), {
    method: 'POST',
    agent,
    ca: await stage.keyturn.ca,
    headers: { authorization: `Bearer ${payments}`, 'content-type': 'application/json' },
  });
  outgoing.on('error', reject);
  outgoing.on('response', async (response) => {
    let text = '';
    for await (const chunk of response) text += String(chunk);
    resolve({ status: response.statusCode ?? 0, text });
  });
  outgoing.end(JSON.stringify({ hpkePublicKey: OPENER.publicKey, seen: 0 }));
  return promise;
}

test('at a stop a request under way gets its answer, a new one none, and the stop ends soon after', async () => {
  const agent = new Agent({ keepAlive: true });
  expect((await lease(agent)).status).toBe(201);
  const gate = gateReads(stage.driver);
  const underWay = lease(agent);
  await gate.reached;
  const started = performance.now();
  const stopped = stage.keyturn.serving.stop();
  await expect(lease(new Agent())).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  gate.open();
  expect((await underWay).status).toBe(201);
  await expect(lease(agent)).rejects.toMatchObject({ code: expect.stringMatching(/ECONNREFUSED|ECONNRESET/) });
  await stopped;
  expect(performance.now() - started).toBeLessThan(3_000);
  agent.destroy();
  await stage.keyturn.restart();
  expect((await stage.lease(payments)).status).toBe(201);
});

test('stopping twice is stopping once', async () => {
  await Promise.all([stage.keyturn.serving.stop(), stage.keyturn.serving.stop()]);
});

test('two reloads of the policy at once leave memory and ledger agreed', async () => {
  await Promise.all(Array.from({ length: 6 }, () => stage.post('/v1/policy/reload')));
  const [known] = await stage.desk.ledger.find('policies', {});
  expect(stage.desk.policy().digest).toBe(known?.digest);
  expect((await stage.lease(payments)).status).toBe(201);
});

test('a ledger that can commit no more is told to the operator, with the cause', async () => {
  stage.breakLedger();
  expect((await stage.lease(payments)).status).toBe(503);
  const told = stage.keyturn.log
    .join('')
    .split('\n')
    .filter((line) => line.includes('"ledger-unavailable"'));
  expect(told.map((line) => JSON.parse(line))).toEqual([
    expect.objectContaining({ level: 40, state: 'failed', detail: expect.stringContaining('no such table') }),
  ]);
});

test('a copy of the instance without run/, as a further server gets one, can be frozen through its socket', async () => {
  const run = join(stage.keyturn.home, 'run');
  await rm(run, { recursive: true });
  await stage.keyturn.restart();
  expect((await stat(run)).mode & 0o777).toBe(0o700);
  expect((await stat(join(run, 'keyturn.sock'))).isSocket()).toBe(true);
});

test('a local socket whose file is removed while the server runs is made anew by itself, and the log says so', async () => {
  vi.useFakeTimers({ toFake: ['setInterval'] });
  try {
    await stage.keyturn.restart();
    const path = join(stage.keyturn.home, 'run', 'keyturn.sock');
    await rm(path);
    vi.advanceTimersByTime(10_000);
    await expect.poll(() => stage.keyturn.log.some((line) => line.includes('local-socket-restored'))).toBe(true);
    expect((await stat(path)).isSocket()).toBe(true);
  } finally {
    vi.useRealTimers();
  }
});
