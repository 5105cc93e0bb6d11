import { afterAll, beforeAll, expect, test } from 'vitest';
import { openHouse } from '../model/house.ts';
import { World } from '../model/world.ts';

let house: Awaited<ReturnType<typeof openHouse>>;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house[Symbol.asyncDispose]());

/** A client has the staged version, and another one the current one. */
async function shared(): Promise<World> {
  const setting = {
    keyBy: 'partner',
    live: 2,
    signer: 'manual',
    revokes: 'asking',
    tested: true,
    shared: true,
  } as const;
  const world = await World.begin(house, setting);
  await world.start();
  await world.import();
  await world.until('share');
  await world.tick();
  await world.lease(600);
  expect(await world.desk.ledger.find('leases', { credential: world.credential })).toMatchObject([{ version: 2 }]);
  return world;
}

test('what was waived of the old version is not waived of the new one, when that is taken back by itself', async () => {
  const world = await shared();
  expect(await world.waive('drain')).toBe(null);
  await world.report(3);
  world.forward(1_100);
  await world.tick();
  expect(await world.open()).toMatchObject({ state: 'undoing', step: 'drain' });
  expect(await world.states()).toEqual({ 1: 'current', 2: 'staged' });
  world.forward(700_000);
  await world.tick();
  expect(await world.states()).toEqual({ 1: 'current', 2: 'retired' });
  world.watch.mustBeClean();
});

test('time in which nobody may have the new version is not watched: thawed, it is lent for what was left', async () => {
  const world = await shared();
  await world.freeze('new');
  world.forward(1_100);
  await world.tick();
  expect(await world.open()).toMatchObject({ state: 'halted', step: 'share' });
  world.forward(3_600_000);
  await world.thaw();
  // Thawed, and not gone on with yet.
  await world.lease(2);
  const newest = { orderBy: 'id', descending: true, limit: 1 } as const;
  expect(await world.desk.ledger.find('leases', { credential: world.credential }, newest)).toMatchObject([
    { version: 1 },
  ]);
  world.forward(2_100);
  expect(await world.retry()).toBe(null);
  await world.tick();
  expect(await world.open()).toMatchObject({ state: 'running', step: 'share' });
  await world.lease(600);
  await world.report(3);
  world.forward(1_100);
  await world.tick();
  expect(await world.open()).toMatchObject({ state: 'undoing' });
  world.watch.mustBeClean();
});

test('what somebody makes current just as it is taken back is not taken back', async () => {
  const world = await shared();
  await world.report(3);
  world.beforeCommit = async (kind) => {
    if (kind !== 'rotation.rolling-back') return;
    world.beforeCommit = async () => {};
    expect(await world.promote(2)).toBe(null);
  };
  world.forward(1_100);
  await world.tick();
  expect(await world.states()).toEqual({ 1: 'previous', 2: 'current' });
  expect(await world.open()).toMatchObject({ state: 'running' });
  expect(await world.abort()).toBe('rotation_state');
  world.watch.mustBeClean();
});

test('what somebody has made current past the rotation is not given up', async () => {
  const world = await shared();
  expect(await world.promote(2)).toBe(null);
  expect(await world.open()).toMatchObject({ state: 'running', step: 'share' });
  expect(await world.abort()).toBe('rotation_state');
  expect(await world.rollBack()).toBe(null);
  expect(await world.converge()).toBe(null);
  expect(await world.states()).toMatchObject({ 1: 'current' });
  expect(await world.ends()).toEqual(['rolled-back']);
});
