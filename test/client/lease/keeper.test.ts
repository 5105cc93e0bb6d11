import { expect, test } from 'vitest';
import { connect } from '../../../src/client/index.ts';
import type { LeaseAnswer } from '../../../src/client/wire.ts';
import { FakeKeyturn, TOKEN } from '../../fakes/keyturn-server.ts';
import { promote, type Scene, startScene, Told } from '../setup.ts';
import { TestTime } from '../time.ts';

const LEASE_MS = 300_000;
const CREDENTIAL = 'lean/sandbox';

async function code(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'no error',
    (error: { code?: unknown }) => error.code,
  );
}

function call(scene: Scene): Promise<Response> {
  return scene.credential.fetch(scene.partner.url);
}

test('a lease is renewed at two thirds of its life, with a tenth of jitter either way', async () => {
  await using scene = await startScene();
  // Jitter is frozen in the middle: two thirds exactly.
  expect(scene.time.pending).toEqual([200_000, 300_000]);
  scene.time.advance(199_999);
  expect(scene.keyturn.calls('/renew')).toHaveLength(0);
  scene.time.advance(1);
  await scene.told.until('renewed');
  expect(scene.keyturn.calls('/renew')).toHaveLength(1);
  expect(scene.credential.status().secondsLeft).toBe(300);
});

test('a renewal tells the largest tree seen and what was used, once', async () => {
  await using scene = await startScene();
  await Promise.all([call(scene), call(scene)]);
  await scene.credential.renew();
  await scene.credential.renew();
  const bodies = scene.keyturn.calls('/renew').map(({ body }) => body);
  expect(bodies[0]).toMatchObject({ seen: 1, uses: [{ version: 1, host: scene.partner.endpoint, requests: 2 }] });
  expect(bodies[1]).toMatchObject({ seen: 2, uses: [] });
  expect(scene.keyturn.arrived[0]).toMatchObject({ method: 'POST', path: '/v1/credentials/lean%2Fsandbox/leases' });
  expect(scene.keyturn.arrived[0]?.authorization).toBe(`Bearer ${TOKEN}`);
});

test('uses that could not be delivered are told with the next renewal', async () => {
  await using scene = await startScene();
  await call(scene);
  scene.keyturn.trouble = { kind: 'raw', status: 503, type: 'text/plain', body: 'down' };
  await scene.credential.renew();
  await promote(scene, 2);
  scene.keyturn.trouble = null;
  await scene.credential.renew();
  expect(scene.keyturn.calls('/renew').at(-1)?.body?.uses).toEqual([
    { version: 1, host: scene.partner.endpoint, requests: 1 },
  ]);
});

test('a report has the number that it had until it was answered', async () => {
  await using scene = await startScene();
  await scene.credential.renew();
  scene.keyturn.trouble = { kind: 'raw', status: 503, type: 'text/plain', body: 'down' };
  await call(scene);
  await scene.credential.renew();
  await call(scene);
  scene.keyturn.trouble = null;
  await scene.credential.renew();
  await scene.credential.renew();
  const said = scene.keyturn.calls('/renew').map(({ body }) => [body?.report, body?.uses?.[0]?.requests ?? 0]);
  expect(said).toEqual([
    [1, 0],
    [2, 1],
    [2, 2],
    [3, 0],
  ]);
});

test('what was used before a freeze is told, under its own version, when the credential has come back', async () => {
  await using scene = await startScene();
  await call(scene);
  scene.keyturn.trouble = { kind: 'problem', status: 403, code: 'held' };
  await scene.credential.renew();
  scene.keyturn.trouble = null;
  await scene.credential.renew();
  await scene.credential.renew();
  expect(scene.told.codes('alarm')).toEqual([]);
  expect(scene.keyturn.calls('/renew').at(-1)?.body?.uses).toEqual([
    { version: 1, host: scene.partner.endpoint, requests: 1 },
  ]);
});

for (const verdict of [
  'held',
  'permission_denied',
  'unauthenticated',
  'version_state',
  'lease_superseded',
  'lease_ended',
]) {
  test(`the pinned server's ${verdict} fails every request at once, the running one too`, async () => {
    await using scene = await startScene();
    const running = code(scene.credential.fetch(`${scene.partner.url}/hang`));
    await expect.poll(() => scene.partner.seen.length).toBe(1);
    scene.keyturn.trouble = { kind: 'problem', status: 403, code: verdict };
    await scene.credential.renew();
    expect(await running).toBe(verdict);
    expect(await code(call(scene))).toBe(verdict);
    expect(() => scene.credential.companion('x')).toThrow(expect.objectContaining({ code: verdict }));
    expect(scene.told.codes('ended')).toEqual([verdict]);
    expect(scene.credential.status()).toMatchObject({ state: 'ended', version: null, secondsLeft: 0 });
  });
}

test('after a thaw the credential comes back by itself, under the same agent', async () => {
  await using scene = await startScene();
  const agent = scene.credential.mtlsAgent();
  scene.keyturn.trouble = { kind: 'problem', status: 403, code: 'held' };
  await scene.credential.renew();
  scene.keyturn.trouble = null;
  scene.time.advance(1_000);
  await scene.told.until('leased', 2);
  expect(scene.credential.mtlsAgent()).toBe(agent);
  expect((await call(scene)).status).toBe(200);
});

const OUTAGES = {
  'a 503': { kind: 'raw', status: 503, type: 'text/html', body: '<h1>down</h1>' },
  "a proxy's 401": { kind: 'raw', status: 401, type: 'text/html', body: 'log in' },
  "a proxy's 403": { kind: 'raw', status: 403, type: 'application/json', body: '{"code":"held","status":403}' },
  'a problem of somebody else': { kind: 'problem', status: 403, code: 'quota_exceeded' },
  'held with a status 500': { kind: 'problem', status: 500, code: 'held' },
  'a problem whose status is not its own': {
    kind: 'raw',
    status: 403,
    type: 'application/problem+json',
    body: '{"code":"held","status":401}',
  },
  'a lost connection': { kind: 'cut' },
  'a redirect': { kind: 'raw', status: 307, type: 'text/plain', body: '' },
  'an answer that is not JSON': { kind: 'raw', status: 200, type: 'application/json', body: 'MIGHAgEA' },
  'an answer without end': { kind: 'raw', status: 200, type: 'application/json', body: ' '.repeat(1_048_577) },
} as const;

for (const [name, trouble] of Object.entries(OUTAGES)) {
  test(`${name} is ridden out with alarms until the lease ends, and not a millisecond longer`, async () => {
    await using scene = await startScene();
    scene.keyturn.trouble = trouble;
    await scene.credential.renew();
    expect(scene.told.codes('alarm')).toEqual(['server_unreachable']);
    expect(scene.told.of('ended')).toEqual([]);
    expect((await call(scene)).status).toBe(200);
    await scene.keyturn.stop();
    scene.time.advance(LEASE_MS - 1);
    expect((await call(scene)).status).toBe(200);
    scene.time.advance(1);
    expect(await code(call(scene))).toBe('lease_expired');
    expect(scene.told.codes('ended')).toEqual(['lease_expired']);
  });
}

test('a server that hangs costs one time-out, then an alarm and another try', async () => {
  await using scene = await startScene();
  scene.keyturn.trouble = { kind: 'hang' };
  const renewal = scene.credential.renew();
  await expect.poll(() => scene.keyturn.calls('/renew').length).toBe(1);
  scene.time.advance(5_000);
  await renewal;
  expect(scene.told.codes('alarm')).toEqual(['server_unreachable']);
  scene.keyturn.trouble = null;
  scene.time.advance(1_000);
  await scene.told.until('renewed');
});

test('tries follow each other at growing distances, never more than half a minute', async () => {
  await using scene = await startScene();
  scene.keyturn.trouble = { kind: 'cut' };
  const distances: number[] = [];
  for (let at = 1; at <= 8; at += 1) {
    await scene.credential.renew();
    distances.push(scene.time.pending[0]!);
  }
  expect(distances).toEqual([750, 1_500, 3_000, 6_000, 12_000, 22_500, 22_500, 22_500]);
});

test('time is counted from before the request was sent', async () => {
  await using scene = await startScene();
  const { keyturn, time } = scene;
  keyturn.trouble = {
    kind: 'tamper',
    change: (answer) => {
      time.advance(4_000);
      return answer;
    },
  };
  await scene.credential.renew();
  expect(scene.credential.status().secondsLeft).toBe(296);
  expect(time.pending).toEqual([196_000, 296_000]);
});

test('a wall clock set ahead ends the lease, one set back does not lengthen it', async () => {
  await using ahead = await startScene();
  ahead.time.jumpWall(100_000);
  expect(ahead.credential.status().secondsLeft).toBe(200);
  ahead.time.jumpWall(200_000);
  expect(await code(call(ahead))).toBe('lease_expired');
  await using back = await startScene();
  await back.keyturn.stop();
  back.time.jumpWall(-86_400_000);
  back.time.advance(LEASE_MS - 1);
  expect((await call(back)).status).toBe(200);
  back.time.advance(1);
  expect(await code(call(back))).toBe('lease_expired');
});

const LIES: Record<string, [code: string, change: (answer: LeaseAnswer) => unknown]> = {
  'another lease': ['receipt_invalid', (answer) => ({ ...answer, lease: 'lease_other', version: 2 })],
  'another expiry': ['receipt_invalid', (answer) => ({ ...answer, expiresAt: '2030-01-01T00:00:00.000Z' })],
  'another key': ['receipt_invalid', (answer) => ({ ...answer, spki: 'ab'.repeat(32) })],
  'another credential': ['sealed_answer_invalid', (answer) => ({ ...answer, credential: 'lean/production' })],
  'a changed entry': [
    'receipt_invalid',
    (answer) => ({
      ...answer,
      receipt: { ...answer.receipt, entry: answer.receipt.entry.replace('payments', 'pirates') },
    }),
  ],
  'no receipt': ['sealed_answer_invalid', (answer) => ({ ...answer, receipt: undefined })],
  'a receipt of nothing': ['receipt_invalid', (answer) => ({ ...answer, receipt: {} })],
  'a life of years': ['sealed_answer_invalid', (answer) => ({ ...answer, secondsLeft: 1e9 })],
  'pins without a pin': ['sealed_answer_invalid', (answer) => ({ ...answer, trust: { mode: 'pinned', pem: '' } })],
  'an endpoint with a path': ['sealed_answer_invalid', (answer) => ({ ...answer, endpoints: ['evil.example:443/x'] })],
};

for (const [name, [expected, change]] of Object.entries(LIES)) {
  test(`an answer with ${name} changes nothing, and the running lease goes on`, async () => {
    await using scene = await startScene();
    await promote(scene, 2);
    scene.keyturn.trouble = { kind: 'tamper', change };
    await scene.credential.renew();
    expect(scene.told.codes('alarm')).toEqual([expected]);
    expect(scene.credential.version).toBe(1);
    expect((await call(scene)).headers.get('x-serial')).toBe(scene.partner.seen[0]?.serial);
  });
}

const OTHERS = {
  'another lease': { data: { lease: 'lease_other' } },
  'another key': { data: { spki: 'ab'.repeat(32) } },
  'another process': { data: { client: 'ab'.repeat(32) } },
  'another end': { data: { expiresAt: '2030-01-01T00:00:00.000Z' } },
  'another credential': { credential: 'lean/production' },
  'a denial': { entry: 'access.denied' },
} as const;

for (const [name, other] of Object.entries(OTHERS)) {
  test(`a good receipt about ${name} is no receipt for this lease`, async () => {
    await using scene = await startScene();
    scene.keyturn.trouble = { kind: 'record', ...other };
    await scene.credential.renew();
    expect(scene.told.codes('alarm')).toEqual(['receipt_invalid']);
    scene.keyturn.trouble = null;
    await scene.credential.renew();
    expect(scene.told.of('renewed')).toHaveLength(1);
  });
}

test('an answer that is played again is no answer: the lease ends when it would have', async () => {
  await using scene = await startScene();
  const { keyturn, credential, told, time } = scene;
  let first: LeaseAnswer | null = null;
  // In the same tree that was seen last, about the same lease, signed: all of it true, once.
  keyturn.trouble = { kind: 'tamper', change: (answer) => (first ??= answer) };
  await credential.renew();
  expect(told.of('renewed')).toHaveLength(1);
  time.advance(LEASE_MS / 2);
  await credential.renew();
  expect(told.codes('alarm')).toEqual(['receipt_invalid']);
  expect(await code(call(scene))).toBe('no error');
  time.advance(LEASE_MS / 2);
  expect(await code(call(scene))).toBe('lease_expired');
});

test('no answer makes a lease longer than its receipt says that it was granted for', async () => {
  await using scene = await startScene();
  scene.keyturn.trouble = { kind: 'record', data: { seconds: LEASE_MS / 1_000 - 1 } };
  await scene.credential.renew();
  scene.keyturn.trouble = { kind: 'record', data: { seconds: 'ever' } };
  await scene.credential.renew();
  expect(scene.told.codes('alarm')).toEqual(['receipt_invalid', 'receipt_invalid']);
  scene.keyturn.trouble = { kind: 'record', data: { seconds: LEASE_MS / 1_000 } };
  await scene.credential.renew();
  expect(scene.told.of('renewed')).toHaveLength(1);
});

test('credentials that renew at once take turns, so that each receipt continues the one before', async () => {
  await using scene = await startScene();
  const more = await Promise.all(Array.from({ length: 5 }, () => scene.client.credential(CREDENTIAL)));
  await Promise.all([scene.credential, ...more].map((credential) => credential.renew()));
  expect(scene.told.of('alarm')).toEqual([]);
  expect(scene.told.of('renewed')).toHaveLength(6);
});

test('a sealed part of another version is refused, and so is one that is missing', async () => {
  await using scene = await startScene();
  await promote(scene, 2);
  let first: LeaseAnswer | null = null;
  scene.keyturn.trouble = {
    kind: 'tamper',
    change: (answer) => {
      const changed = first === null ? { ...answer, sealed: null } : { ...answer, sealed: first.sealed };
      first ??= answer;
      return changed;
    },
  };
  await scene.credential.renew();
  await scene.credential.renew();
  await scene.credential.renew();
  expect(new Set(scene.told.codes('alarm'))).toEqual(new Set(['sealed_answer_invalid', 'lease_ended']));
  expect(scene.credential.version).toBe(1);
});

test('a forked log alarms, brings no new version, and the running lease goes on to its end', async () => {
  await using scene = await startScene();
  await scene.credential.renew();
  scene.keyturn.log.fork();
  await promote(scene, 2);
  await scene.credential.renew();
  expect(scene.told.codes('alarm')).toEqual(['log_forked']);
  expect(scene.credential.version).toBe(1);
  expect((await call(scene)).status).toBe(200);
  expect(scene.told.of('ended')).toEqual([]);
});

test('when the answer that brought a new version is lost, no request fails: the next call brings it', async () => {
  await using scene = await startScene();
  await promote(scene, 2);
  scene.keyturn.trouble = { kind: 'lose-answer' };
  await scene.credential.renew();
  expect((await call(scene)).status).toBe(200);
  scene.keyturn.trouble = null;
  // The lease is over at the server, which ended it for the one that got lost.
  await scene.credential.renew();
  expect(scene.told.codes('ended')).toEqual([]);
  await scene.credential.renew();
  expect(scene.credential.version).toBe(2);
  expect(scene.told.codes('alarm')).toEqual(['server_unreachable', 'lease_ended']);
});

test('trust that changed without a new version brings a new lease, whose key makes the new context', async () => {
  await using scene = await startScene();
  scene.keyturn.lent.trust = { mode: 'both', pem: scene.ca.certificatePem };
  await scene.credential.renew();
  scene.time.advance(0);
  await scene.told.until('leased', 2);
  expect(scene.credential.version).toBe(1);
  expect((await call(scene)).status).toBe(200);
  await scene.told.until('drained');
});

test('several servers are asked in order, and the first verdict counts', async () => {
  await using scene = await startScene();
  const { issued } = scene.keyturn.lent;
  await using second = await FakeKeyturn.start({ ...scene.keyturn.lent, issued }, scene.keyturn.log);
  const time = new TestTime();
  const told = new Told();
  const options = { token: () => Buffer.from(TOKEN), on: told.listeners, clock: time, scheduler: time };
  await using client = await connect({ ...options, connection: scene.keyturn.connection([second]) });
  scene.keyturn.trouble = { kind: 'cut' };
  await client.credential(CREDENTIAL);
  expect(second.calls('/leases')).toHaveLength(1);
  // The first gave no answer, and is asked after the second for a minute.
  time.advance(60_000);
  scene.keyturn.trouble = { kind: 'problem', status: 403, code: 'held' };
  expect(await code(client.credential(CREDENTIAL))).toBe('held');
  expect(second.calls('POST')).toHaveLength(1);
});

test('without a lease there is no credential, and the reason is the one the server gave', async () => {
  await using scene = await startScene();
  scene.keyturn.trouble = { kind: 'problem', status: 409, code: 'no_current_version' };
  expect(await code(scene.client.credential(CREDENTIAL))).toBe('no_current_version');
  scene.keyturn.trouble = { kind: 'cut' };
  expect(await code(scene.client.credential(CREDENTIAL))).toBe('server_unreachable');
});

test('a server with a certificate of another CA is not trusted, and gets no token', async () => {
  await using scene = await startScene();
  await using stranger = await FakeKeyturn.start({ issued: scene.keyturn.lent.issued });
  const connection = { ...scene.keyturn.connection(), servers: [stranger.url] };
  await using client = await connect({ connection, token: () => Buffer.from(TOKEN) });
  expect(await code(client.credential(CREDENTIAL))).toBe('server_untrusted');
  expect(stranger.arrived).toEqual([]);
});

test('close gives the lease back, ends every timer and every connection, and can be repeated', async () => {
  const scene = await startScene();
  await call(scene);
  await scene.credential.close();
  await scene.credential.close();
  expect(scene.keyturn.leases.size).toBe(0);
  expect(scene.time.pending).toEqual([]);
  expect(await code(call(scene))).toBe('client_closed');
  expect(scene.credential.status().state).toBe('closed');
  await expect.poll(() => scene.partner.seen[0]?.socket.destroyed).toBe(true);
  await scene[Symbol.asyncDispose]();
});
