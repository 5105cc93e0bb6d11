import { afterEach, beforeEach, expect, test } from 'vitest';
import { StrangerLog } from '../../../src/server/log/stranger-log.ts';
import { HandClock, Stage } from '../../credential/stage.ts';

let stage: Stage;
let clock: HandClock;
let strangers: StrangerLog;
beforeEach(async () => {
  stage = await Stage.set();
  clock = new HandClock();
  strangers = new StrangerLog(stage.desk.ledger, clock);
});
afterEach(() => stage.strike());

/** Commits follow one another: after this one, all that were asked for before are on the log. */
const settled = () => stage.desk.ledger.commit({ entry: { kind: 'test.settled', actor: 'system', data: {} } });
const singles = async () => {
  await settled();
  const entries = await stage.desk.ledger.entries({ kind: 'authentication.failed', limit: 10_000 });
  return entries.map(({ json }) => JSON.parse(json) as { data: unknown });
};
const sums = async () => {
  await settled();
  return (await stage.keyturn.entries('authentication.failures-summed')).map(({ data }) => data);
};

test('a few failures of a host are entries, with reason, host and request', async () => {
  strangers.failed('bad-token', '192.0.2.1', 'request_1');
  strangers.failed('no-token', '192.0.2.1', 'request_2');
  expect(await singles()).toMatchObject([
    { actor: 'unknown', request: 'request_1', data: { reason: 'bad-token', host: '192.0.2.1' } },
    { request: 'request_2', data: { reason: 'no-token' } },
  ]);
});

test('of 10,000 failures of one host five are entries, the others one sum at the end of the minute', async () => {
  for (let n = 0; n < 10_000; n += 1) strangers.failed('bad-token', '192.0.2.1', 'request_1');
  expect(await singles()).toHaveLength(5);
  expect(await sums()).toEqual([]);
  clock.forward(60_001);
  strangers.tick();
  expect(await sums()).toEqual([{ count: 9_995, hosts: 1 }]);
  strangers.tick(true);
  expect(await sums()).toHaveLength(1);
});

test('of 10,000 hosts together thirty are entries a minute, and memory holds a thousand of them', async () => {
  for (let n = 0; n < 10_000; n += 1) strangers.failed('bad-token', `2001:db8::${n.toString(16)}`, 'request_1');
  expect(await singles()).toHaveLength(30);
  clock.forward(60_001);
  strangers.tick();
  expect(await sums()).toEqual([{ count: 9_970, hosts: 1_000 }]);
});

test('a host that floods does not hide another one of the same minute', async () => {
  for (let n = 0; n < 1_000; n += 1) strangers.failed('bad-token', '192.0.2.1', 'request_1');
  strangers.failed('bad-token', '192.0.2.2', 'request_2');
  expect((await singles()).at(-1)).toMatchObject({ data: { host: '192.0.2.2' } });
});

test('a day of flooding is at most 31 entries a minute', async () => {
  for (let minute = 0; minute < 60; minute += 1) {
    for (let n = 0; n < 200; n += 1) strangers.failed('bad-token', `192.0.2.${n}`, 'request_1');
    clock.forward(60_001);
  }
  strangers.tick();
  const written = (await singles()).length + (await sums()).length;
  expect(written).toBe(60 * 31);
});

test('what is counted at the end is written when the server stops', async () => {
  for (let n = 0; n < 20; n += 1) await stage.keyturn.call('GET', '/v1/whoami', { token: 'x' });
  await stage.keyturn.restart();
  expect(await singles()).toHaveLength(5);
  expect(await sums()).toEqual([{ count: 15, hosts: 1 }]);
});

test('a flood of strangers stops no lease', async () => {
  const payments = await stage.keyturn.grant('service:payments', 'service');
  await stage.import();
  const flood = Array.from({ length: 150 }, (_, n) =>
    stage.keyturn.call('GET', '/v1/whoami', {
      token: `ktn_${n.toString(16).padStart(32, '0')}_${'A'.repeat(43)}_00000000`,
    }),
  );
  const leases = Array.from({ length: 20 }, () => stage.lease(payments));
  expect((await Promise.all(leases)).map(({ status }) => status)).toEqual(Array(20).fill(201));
  expect(new Set((await Promise.all(flood)).map(({ status }) => status))).toEqual(new Set([401]));
});

test('a ledger that is down changes nothing for the stranger', async () => {
  stage.breakLedger();
  await stage.post('/v1/tokens', { json: { principal: 'service:x', ttlSeconds: 60, comment: 'x' } });
  expect(await stage.keyturn.call('GET', '/v1/whoami', { token: 'x' })).toMatchObject({ status: 401 });
  const unknown = `ktn_${'0'.repeat(32)}_${'A'.repeat(43)}_00000000`;
  expect(await stage.keyturn.call('GET', '/v1/whoami', { token: unknown })).toMatchObject({ status: 401 });
});
