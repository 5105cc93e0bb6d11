import { afterAll, beforeAll, expect, test } from 'vitest';
import { openHouse } from '../model/house.ts';
import { PACE, type Setting, World } from '../model/world.ts';

const OWN: Setting = { keyBy: 'keyturn', live: 2, signer: 'internal', revokes: 'issuer', tested: true };
const LOST = ['refuses', 'gone'] as const;

let house: Awaited<ReturnType<typeof openHouse>>;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house[Symbol.asyncDispose]());

/** With a first version of the same issuer. */
async function begin(): Promise<World> {
  const world = await World.begin(house, OWN);
  await world.start();
  expect(await world.converge()).toBe(null);
  return world;
}

/** Aborted at its canary: the certificate of its version is to be revoked. */
async function abortedWithVersion(): Promise<World> {
  const world = await begin();
  world.partner.mood = 'times-out';
  await world.start();
  await world.until('canary');
  return world;
}

async function openTasks(world: World) {
  const rows = await world.desk.ledger.find('tasks', { credential: world.credential, state: 'open' });
  return rows.map(({ kind, body }) => ({ kind, body: JSON.parse(body) as Record<string, unknown> }));
}

async function later(world: World, ms: number): Promise<void> {
  for (let gone = 0; gone < ms; gone += PACE.retryMostMs) {
    world.forward(PACE.retryMostMs + 1_000);
    await world.tick();
  }
}

test.each(LOST)('given up while its issuer %s, a person has its certificate revoked, and it ends', async (trouble) => {
  const world = await abortedWithVersion();
  world.trouble = trouble;
  expect(await world.abort()).toBe(null);
  await world.tick();
  await later(world, PACE.lostIssuerMs);
  expect(await world.ends()).toEqual(['completed', 'aborted']);
  expect(await world.states()).toEqual({ 1: 'current', 2: 'destroyed' });
  const [version] = await world.desk.ledger.find('versions', { credential: world.credential, version: 2 });
  const revoke = (await openTasks(world)).filter(({ kind }) => kind === 'revoke');
  expect(revoke).toMatchObject([{ body: { serial: version?.serial } }]);
  await world.work();
  expect(await world.tasks()).toEqual([]);
  await world.watch.mustBeDone();
});

test.each(LOST)(
  'what was issued for a key without a version is told to a person where the issuer %s',
  async (trouble) => {
    const world = await begin();
    world.trouble = 'answer lost';
    await world.start();
    await world.until('request');
    await world.tick();
    world.trouble = trouble;
    expect(await world.abort()).toBe(null);
    await world.tick();
    await later(world, 2 * PACE.lostIssuerMs);
    expect(await world.ends()).toEqual(['completed', 'aborted']);
    const { spki } = (await world.desk.ledger.find('issued', { credential: world.credential }, ISSUED_LAST))[0] ?? {};
    expect(await openTasks(world)).toMatchObject([{ kind: 'look', body: { spki } }]);
    await world.watch.mustBeDone();
  },
);

test('a certificate that the issuer finds and will not revoke is told to a person by its serial', async () => {
  const world = await begin();
  world.trouble = 'answer lost';
  await world.start();
  await world.until('request');
  await world.tick();
  world.trouble = 'keeps';
  expect(await world.abort()).toBe(null);
  await world.tick();
  await later(world, 2 * PACE.lostIssuerMs);
  expect(await world.ends()).toEqual(['completed', 'aborted']);
  const { serial } = (await world.desk.ledger.find('issued', { credential: world.credential }, ISSUED_LAST))[0] ?? {};
  expect(await openTasks(world)).toMatchObject([{ kind: 'revoke', body: { serial } }]);
});

test('an issuer that a server lacks for a moment is asked when it is there again, and no person is', async () => {
  const world = await abortedWithVersion();
  world.trouble = 'gone';
  await world.abort();
  await world.tick();
  world.forward(PACE.retryMostMs);
  await world.tick();
  expect(await world.open()).toMatchObject({ state: 'undoing', step: 'discard' });
  expect((await world.open())?.waits_for).toMatch(/no issuer named internal\. From .* on a person is asked/);
  world.trouble = 'none';
  world.forward(PACE.retryMostMs);
  await world.tick();
  expect(await world.open()).toBe(null);
  expect(await world.tasks()).toEqual([]);
});

test.each(LOST)(
  'the old certificate of an issuer that %s is revoked by a person, and the rotation goes on',
  async (trouble) => {
    const world = await begin();
    await world.lease(60);
    await world.start();
    await world.until('drain');
    world.trouble = trouble;
    await world.until('revoke');
    await later(world, PACE.lostIssuerMs);
    expect(await world.tasks()).toEqual(['revoke']);
    await world.work();
    await later(world, 600_000);
    expect(await world.ends()).toEqual(['completed', 'completed']);
    await world.watch.mustBeDone();
  },
);

test('an issuer that is back before the person was done revokes it, and takes the task away', async () => {
  const world = await begin();
  await world.lease(60);
  await world.start();
  await world.until('drain');
  world.trouble = 'gone';
  await world.until('revoke');
  await later(world, PACE.lostIssuerMs);
  expect(await world.tasks()).toEqual(['revoke']);
  world.trouble = 'none';
  await world.until('prove');
  expect(await world.tasks()).toEqual([]);
});

const ISSUED_LAST = { orderBy: 'issued_at', descending: true, limit: 1 } as const;

test('where one certificate may live and the issuer refuses the request, nothing was issued: it may be given up', async () => {
  const world = await World.begin(house, { ...OWN, live: 1 });
  await world.start();
  expect(await world.converge()).toBe(null);
  world.trouble = 'refuses';
  await world.start();
  await world.until('request');
  await world.tick();
  expect(await world.open()).toMatchObject({ state: 'halted', step: 'request' });
  expect(await world.retry()).toBe(null);
  await world.tick();
  expect(await world.abort()).toBe(null);
  await later(world, 2 * PACE.lostIssuerMs);
  expect(await world.ends()).toEqual(['completed', 'aborted']);
  expect(await world.states()).toEqual({ 1: 'current' });
  expect(await world.tasks()).toEqual([]);
});

test('a refusal after an answer that was lost takes nothing back: what had been issued is found and revoked', async () => {
  const world = await begin();
  world.trouble = 'answer lost';
  await world.start();
  await world.until('request');
  await world.tick();
  world.trouble = 'refuses';
  world.forward(PACE.retryMostMs + 1_000);
  await world.tick();
  expect(await world.open()).toMatchObject({ state: 'halted', step: 'request' });
  world.trouble = 'none';
  expect(await world.abort()).toBe(null);
  await world.tick();
  await later(world, PACE.lateAnswerMs);
  expect(await world.ends()).toEqual(['completed', 'aborted']);
  const [issued] = await world.desk.ledger.find('issued', { credential: world.credential }, ISSUED_LAST);
  expect(issued).toMatchObject({ revoked_at: expect.any(Number) });
  await world.watch.mustBeDone();
});
