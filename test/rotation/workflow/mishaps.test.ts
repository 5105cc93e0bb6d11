import { afterAll, beforeAll, expect, test } from 'vitest';
import { factsOf } from '../../../src/rotation/workflow/facts.ts';
import { openHouse } from '../model/house.ts';
import { PACE, type Setting, World } from '../model/world.ts';

const BY_PARTNER: Setting = { keyBy: 'partner', live: 2, signer: 'manual', revokes: 'asking', tested: true };
const OWN: Setting = { keyBy: 'keyturn', live: 2, signer: 'internal', revokes: 'issuer', tested: true };

let house: Awaited<ReturnType<typeof openHouse>>;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house[Symbol.asyncDispose]());

/** With a first version that came about the same way. */
async function begin(setting: Setting): Promise<World> {
  const world = await World.begin(house, setting);
  if (setting.keyBy === 'partner') return world;
  await world.start();
  expect(await world.converge()).toBe(null);
  return world;
}

test('an old certificate that the issuer does not know is left to a person', async () => {
  const world = await World.begin(house, OWN);
  await world.import();
  await world.start();
  await world.until('revoke');
  await world.tick();
  expect(await world.tasks()).toEqual(['revoke']);
  expect(await world.converge()).toBe(null);
  expect(await world.states()).toEqual({ 1: 'destroyed', 2: 'current' });
});

test('a partner that refuses everybody has not thereby revoked the old certificate', async () => {
  const world = await begin({ ...BY_PARTNER, live: 1 });
  world.onlyNewest = false;
  await world.start();
  await world.import();
  world.partner.mood = 'refuses';
  await world.until('canary');
  await world.waive('canary');
  await world.until('revoke');
  world.partner.mood = 'accepts';
  world.forward(PACE.retryMostMs);
  await world.tick();
  expect(await world.tasks()).toEqual(['revoke']);
});

test('what was promoted by hand is not aborted any more', async () => {
  const world = await begin(BY_PARTNER);
  world.partner.mood = 'times-out';
  await world.start();
  await world.import();
  await world.until('canary');
  await world.promote(2);
  expect(await world.abort()).toBe('rotation_state');
  world.partner.mood = 'accepts';
  await world.tick();
  expect((await world.states())[2]).toBe('current');
});

test('promoted by hand after the abort was asked for, a version is not revoked', async () => {
  const world = await begin(OWN);
  world.partner.mood = 'times-out';
  await world.start();
  await world.until('canary');
  await world.abort();
  await world.promote(2);
  await world.tick();
  expect(await world.open()).toMatchObject({ state: 'halted', step: 'discard' });
  await world.promote(1);
  expect(await world.converge()).toBe(null);
  expect(await world.states()).toEqual({ 1: 'current', 2: 'destroyed' });
  world.watch.mustBeClean();
});

test('a lease that ended while nobody looked is followed by the longest request all the same', async () => {
  const world = await begin(BY_PARTNER);
  await world.lease(600);
  await world.start();
  await world.import();
  world.crashAt('promote:journaled');
  await world.until('drain');
  world.forward(600_000);
  await world.tick();
  expect(await world.states()).toEqual({ 1: 'previous', 2: 'current' });
  world.forward(PACE.longestRequestMs);
  await world.tick();
  expect((await world.states())[1]).toBe('retired');
});

test('what the old certificate was told before its revocation outlives a crash', async () => {
  const world = await begin(OWN);
  await world.start();
  await world.waive('canary');
  world.crashAt('revoke:told');
  await world.until('revoke');
  await world.until('prove');
  expect(factsOf((await world.open()) ?? { facts: '{}' }).control).toMatchObject({ verdict: 'accepted' });
});

test('a crash in the midst of an abort takes away no task for what may have been issued', async () => {
  const world = await begin({ ...OWN, signer: 'manual' });
  await world.start();
  await world.until('await');
  await world.abort();
  world.crashAt('discard:destroyed');
  await world.tick();
  expect(await world.open()).toMatchObject({ step: 'discard' });
  world.forward(61_000);
  await world.tick();
  expect(await world.open()).toBe(null);
  expect(await world.tasks()).toEqual(['look']);
});

test('with the proof waived, nobody is left to look for it', async () => {
  const world = await begin({ ...OWN, tested: false });
  await world.start();
  await world.until('prove');
  await world.tick();
  expect(await world.tasks()).toEqual(['look']);
  await world.waive('proof');
  await world.tick();
  expect(await world.open()).toBe(null);
  expect(await world.tasks()).toEqual([]);
});

test('a drain that was waived on the way there is not waived on the way back', async () => {
  const world = await begin(OWN);
  await world.lease(3_600);
  await world.start();
  await world.until('drain');
  await world.waive('drain');
  await world.lease(3_600);
  await world.rollBack();
  await world.tick();
  expect((await world.states())[2]).toBe('previous');
});

test('an import and a key of our own that are made at the same time do not share a number', async () => {
  const world = await begin(OWN);
  await world.start();
  let ticking: Promise<void> | undefined;
  world.beforeCommit = async (kind) => {
    if (kind !== 'version.import-intended') return;
    ticking = world.tick();
    for (let look = 0; look < 20 && (await world.open())?.version == null; look += 1) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  await world.import();
  await ticking;
  const row = await world.open();
  const [imported] = await world.desk.ledger.find('versions', { credential: world.credential, version: 2 });
  expect(imported?.custody).toContain('"keyOrigin":"partner"');
  expect(row?.version).toBe(3);
  expect(row?.spki).not.toBe(imported?.spki);
});
