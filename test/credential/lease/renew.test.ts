import { afterEach, beforeEach, expect, test } from 'vitest';
import { expireLeases } from '../../../src/credential/lease/end.ts';
import { gateReads, opened, Stage } from '../stage.ts';

let stage: Stage;
let payments: string;
beforeEach(async () => {
  stage = await Stage.set({ leases: { default: '60s', maximum: '120s' } });
  payments = await stage.keyturn.grant('service:payments', 'service');
  await stage.import();
});
afterEach(() => stage.strike());

const row = async (id: unknown) => (await stage.desk.ledger.find('leases', { id: String(id) }))[0];

test('a renewal on the same version extends the lease and carries no key', async () => {
  const { body } = await stage.lease(payments);
  stage.clock.forward(40_000);
  const renewed = await stage.renew(payments, body['lease']);
  expect(renewed).toMatchObject({ status: 200, body: { lease: body['lease'], sealed: null, version: 1 } });
  expect(Number(renewed.body['secondsLeft'])).toBeGreaterThanOrEqual(58);
});

const secondsOf = async (kind: string) =>
  (await stage.keyturn.entries(kind)).map(({ data }) => (data as { seconds: number }).seconds);

test('an entry says how long a lease was granted for, and how long it was renewed for, not since when it lives', async () => {
  const { body } = await stage.lease(payments);
  stage.clock.forward(40_000);
  await stage.renew(payments, body['lease']);
  await stage.renew(payments, body['lease'], { ttlSeconds: 30 });
  for (const [kind, lives] of [
    ['lease.granted', [60]],
    ['lease.renewed', [60, 30]],
  ] as const) {
    const seconds = await secondsOf(kind);
    expect(seconds).toHaveLength(lives.length);
    // The clock goes on between the two instants that it is counted by, and a part of a second counts as one.
    for (const [at, life] of lives.entries()) expect(seconds[at]! - life).toBeOneOf([0, 1]);
  }
});

test('a clock that is set back while a lease is recorded makes it no longer than its entry says', async () => {
  const { ledger } = stage.desk;
  const commit = ledger.commit.bind(ledger);
  ledger.commit = async (change) => {
    const outcome = await commit(change);
    stage.clock.forward(-30_000);
    return outcome;
  };
  const { body } = await stage.lease(payments);
  const renewed = await stage.renew(payments, body['lease']);
  ledger.commit = commit;
  expect(body['secondsLeft']).toBeLessThanOrEqual((await secondsOf('lease.granted'))[0]!);
  expect(renewed.body['secondsLeft']).toBeLessThanOrEqual((await secondsOf('lease.renewed'))[0]!);
});

test('a renewal after a promotion is a new lease with the new key, and keeps what was reported of the old one', async () => {
  const { body } = await stage.lease(payments);
  await stage.import();
  await stage.promote(2);
  const uses = [{ version: 1, host: 'mtls.example', requests: 7 }];
  const renewed = await stage.renew(payments, body['lease'], { uses });
  expect(renewed).toMatchObject({ status: 200, body: { version: 2 } });
  expect([...opened(renewed).keys()]).toEqual(['key']);
  expect(await row(body['lease'])).toMatchObject({ state: 'ended', uses: JSON.stringify(uses) });
  const [, granted] = await stage.keyturn.entries('lease.granted');
  expect(granted).toMatchObject({ data: { replaces: body['lease'], uses } });
});

test('of two renewals at once that would replace a lease, one does', async () => {
  const { body } = await stage.lease(payments);
  await stage.import();
  await stage.promote(2);
  const gate = gateReads(stage.driver);
  const both = [stage.renew(payments, body['lease']), stage.renew(payments, body['lease'])];
  await gate.reached;
  gate.open();
  const replies = await Promise.all(both);
  const statuses = replies.map(({ status }) => status);
  expect(statuses.sort((a, b) => a - b)).toEqual([200, 409]);
  expect(replies.find(({ status }) => status === 409)?.body).toMatchObject({ code: 'lease_ended' });
  expect(await stage.desk.ledger.find('leases', { state: 'live' })).toHaveLength(1);
});

test('a renewal around the end never outlives binding, token or certificate, and is over after it', async () => {
  for (const offset of [-2_000, -500, -100, 0, 10, 20, 500, 2_000]) {
    const short = await stage.keyturn.token('service:payments', 60);
    const { body } = await stage.lease(short, { ttlSeconds: 120 });
    const before = await row(body['lease']);
    const end = (await stage.desk.ledger.find('tokens', { id: `token_${short.split('_')[1]}` }))[0]?.expires_at ?? 0;
    expect(before?.expires_at).toBeLessThanOrEqual(end);
    stage.clock.forward(end + offset - stage.clock.now());
    const renewed = await stage.renew(short, body['lease'], { ttlSeconds: 120 });
    if (offset >= 0) expect([offset, renewed.status]).toEqual([offset, 401]);
    expect((await row(body['lease']))?.expires_at).toBeLessThanOrEqual(end);
    // A longer token of the same service does not bring an ended lease back.
    const late = await stage.renew(payments, body['lease'], { ttlSeconds: 120 });
    if (offset >= 0) expect([offset, late.body['code']]).toEqual([offset, 'lease_ended']);
  }
});

test('a renewal that is decided in time but committed too late extends nothing', async () => {
  await stage.companion('s3cret');
  const { body } = await stage.lease(payments);
  const gate = gateReads(stage.driver);
  const asked = stage.renew(payments, body['lease']);
  await gate.reached;
  stage.clock.forward(60_001);
  gate.open();
  expect(await asked).toMatchObject({ status: 409, body: { code: 'lease_ended' } });
});

test('another’s lease id is not found, and nothing happens to the lease', async () => {
  const billing = await stage.keyturn.grant('service:billing', 'service');
  const { body } = await stage.lease(payments);
  const before = await row(body['lease']);
  const path = `/v1/leases/${String(body['lease'])}`;
  const unknown = `/v1/leases/lease_${'0'.repeat(32)}`;
  const replies = [
    await stage.renew(billing, body['lease']),
    await stage.keyturn.call('DELETE', path, { token: billing }),
    await stage.keyturn.call('DELETE', unknown, { token: billing }),
  ];
  const texts = replies.map(({ status, text }) => `${status} ${text.replace(/request_\w+/, '')}`);
  expect(new Set(texts).size).toBe(1);
  expect(replies[0]).toMatchObject({ status: 404, body: { code: 'not_found' } });
  expect(await row(body['lease'])).toEqual(before);
});

test('a returned lease is over, and returning it again changes nothing', async () => {
  const { body } = await stage.lease(payments);
  const path = `/v1/leases/${String(body['lease'])}`;
  for (const _ of [1, 2])
    expect(await stage.keyturn.call('DELETE', path, { token: payments })).toMatchObject({ status: 204 });
  expect(await stage.keyturn.entries('lease.returned')).toHaveLength(1);
  expect(await stage.renew(payments, body['lease'])).toMatchObject({ status: 409, body: { code: 'lease_ended' } });
});

test('a new value of a companion reaches a lease at its renewal', async () => {
  await stage.companion('first');
  const { body } = await stage.lease(payments);
  await stage.companion('second');
  const renewed = await stage.renew(payments, body['lease']);
  expect([...opened(renewed)]).toEqual([['companion/lean-app-token', Buffer.from('second')]]);
});

test('1,200 leases whose time is up are marked, each in one entry, in groups', async () => {
  const { body } = await stage.lease(payments);
  const like = await row(body['lease']);
  if (like === undefined) throw new Error('no lease');
  const id = (number: number) => `lease_${number.toString(16).padStart(32, '0')}`;
  const writes = Array.from({ length: 1_200 }, (_, number) => ({
    insert: 'leases' as const,
    row: { ...like, id: id(number) },
  }));
  await stage.desk.ledger.commit({ writes, entry: { kind: 'test.made', actor: 'system', data: {} } });
  expect(await expireLeases(stage.desk)).toBe(0);
  stage.clock.forward(61_000);
  expect(await expireLeases(stage.desk)).toBe(1_201);
  expect(await expireLeases(stage.desk)).toBe(0);
  const named = (await stage.keyturn.entries('leases.expired')).flatMap(
    ({ data }) => (data as { leases: string[] }).leases,
  );
  expect(named).toHaveLength(1_201);
  expect(new Set(named).size).toBe(1_201);
});

test('a lease that is returned while others expire is not said to have expired', async () => {
  const [kept, returned] = [await stage.lease(payments), await stage.lease(payments)];
  stage.clock.forward(61_000);
  const { ledger } = stage.desk;
  const commit = ledger.commit.bind(ledger);
  // Between the look for leases that are over and the commit that marks them.
  ledger.commit = async (change) => {
    ledger.commit = commit;
    await stage.keyturn.call('DELETE', `/v1/leases/${String(returned.body['lease'])}`, { token: payments });
    return commit(change);
  };
  const marked = await expireLeases(stage.desk);
  const entries = await stage.keyturn.entries('leases.expired');
  const named = entries.flatMap(({ data }) => (data as { leases: string[] }).leases);
  const expired = await stage.desk.ledger.find('leases', { state: 'expired' });
  expect(named.toSorted()).toEqual(expired.map(({ id }) => id).toSorted());
  expect(named).toContain(kept.body['lease']);
  expect(marked).toBe(named.length);
});
