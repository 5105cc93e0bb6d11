import { afterAll, beforeAll, expect, test } from 'vitest';
import { openHouse } from '../model/house.ts';
import { type Setting, World } from '../model/world.ts';

const BY_PARTNER: Setting = { keyBy: 'partner', live: 2, signer: 'manual', revokes: 'asking', tested: true };

let house: Awaited<ReturnType<typeof openHouse>>;
beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house[Symbol.asyncDispose]());

/** In the midst of its drain, since a client has a lease on the old version. */
async function draining(): Promise<World> {
  const world = await World.begin(house, BY_PARTNER);
  await world.lease(1_800);
  await world.start();
  await world.import();
  await world.until('drain');
  return world;
}

test('with the old version compromised the way back is barred: the new one, which is current, is gone on with', async () => {
  const world = await draining();
  await world.rollBack();
  await world.compromise('old');
  await world.tick();
  expect(await world.open()).toMatchObject({ state: 'halted', step: 'restore' });
  expect(await world.tasks()).toEqual(['decide']);
  expect(await world.abort()).toBe('rotation_state');
  expect(await world.rollBack()).toBe('rotation_state');
  expect(await world.resume()).toBe(null);
  expect(await world.tasks()).toEqual([]);
  expect(await world.resume()).toBe('rotation_state');
  expect(await world.converge()).toBe(null);
  expect(await world.states()).toEqual({ 1: 'destroyed', 2: 'current' });
  expect(await world.ends()).toEqual(['completed']);
  await world.watch.mustBeDone();
});

test('with the new version compromised the way back is open: nothing is current, so the old one becomes it again', async () => {
  const world = await draining();
  await world.compromise('new');
  expect(await world.rollBack()).toBe(null);
  await world.tick();
  expect(await world.states()).toMatchObject({ 1: 'current', 2: 'compromised' });
  expect(await world.converge()).toBe(null);
  expect(await world.ends()).toEqual(['rolled-back']);
  await world.watch.mustBeDone();
});

test('while the new version is compromised the old one is not retired: a person decides', async () => {
  const world = await draining();
  await world.compromise('new');
  world.forward(1_900_000);
  await world.tick();
  expect(await world.open()).toMatchObject({ state: 'halted', step: 'drain' });
  expect(await world.states()).toEqual({ 1: 'previous', 2: 'compromised' });
  expect(await world.waive('drain')).toBe(null);
  await world.tick();
  expect(await world.states()).toMatchObject({ 1: 'retired' });
  world.watch.mustBeClean();
});

test('while the new version is frozen the old one is not retired', async () => {
  const world = await draining();
  await world.freeze('new');
  world.forward(1_900_000);
  await world.tick();
  expect(await world.open()).toMatchObject({ state: 'running', step: 'drain' });
  expect(await world.states()).toEqual({ 1: 'previous', 2: 'current' });
  await world.thaw();
  expect(await world.converge()).toBe(null);
  expect(await world.ends()).toEqual(['completed']);
});

test('a freeze of the new version that comes just then keeps the old one from being retired', async () => {
  const world = await draining();
  world.forward(1_900_000);
  world.beforeCommit = async (kind) => {
    if (kind !== 'version.retired') return;
    world.beforeCommit = async () => {};
    await world.freeze('new');
  };
  await world.tick();
  expect(await world.states()).toEqual({ 1: 'previous', 2: 'current' });
  world.watch.mustBeClean();
});

test('what was waived of the new version, on its way back, is not waived of the old one when that is resumed', async () => {
  const world = await draining();
  await world.freezeOld();
  await world.rollBack();
  await world.tick();
  expect(await world.open()).toMatchObject({ state: 'halted', step: 'restore' });
  await world.waive('drain');
  expect(await world.resume()).toBe(null);
  await world.tick();
  expect(await world.open()).toMatchObject({ state: 'running', step: 'drain' });
  expect(await world.states()).toEqual({ 1: 'previous', 2: 'current' });
  world.watch.mustBeClean();
});

test('with the old version frozen it waits for a person: the new one is gone on with, or the old one thawed', async () => {
  const world = await draining();
  await world.freezeOld();
  await world.rollBack();
  await world.tick();
  expect(await world.open()).toMatchObject({ state: 'halted', waits_for: 'Version 1 is frozen.' });
  expect(await world.retry()).toBe(null);
  await world.tick();
  expect(await world.open()).toMatchObject({ state: 'halted' });
  await world.thaw();
  expect(await world.retry()).toBe(null);
  await world.tick();
  expect(await world.states()).toMatchObject({ 1: 'current' });
  expect(await world.converge()).toBe(null);
  expect(await world.ends()).toEqual(['rolled-back']);
});

test('with both compromised there is nothing to go to: what was made goes, the other stays as it is', async () => {
  const world = await draining();
  await world.rollBack();
  await world.compromise('old');
  await world.compromise('new');
  await world.tick();
  expect(await world.open()).toMatchObject({ state: 'halted', step: 'restore' });
  expect(await world.resume()).toBe('rotation_state');
  expect(await world.abort()).toBe(null);
  expect(await world.converge()).toBe(null);
  expect(await world.ends()).toEqual(['aborted']);
  expect(await world.states()).toEqual({ 1: 'compromised', 2: 'compromised' });
  await world.watch.mustBeDone();
});

test('what was given up while another version is current is drained first, and nothing that is current is touched', async () => {
  const world = await draining();
  await world.lease(900);
  await world.rollBack();
  await world.import();
  await world.promote(3);
  await world.tick();
  expect(await world.open()).toMatchObject({ state: 'halted', step: 'restore' });
  expect(await world.rollBack()).toBe('rotation_state');
  expect(await world.abort()).toBe(null);
  await world.tick();
  expect(await world.open()).toMatchObject({ state: 'undoing', step: 'drain' });
  expect(await world.converge()).toBe(null);
  expect(await world.states()).toEqual({ 1: 'previous', 2: 'retired', 3: 'current' });
});

test('what is replaced becomes compromised before its successor is there: all the more reason to go on', async () => {
  const world = await World.begin(house, BY_PARTNER);
  await world.start();
  await world.compromise('old');
  await world.import();
  await world.tick();
  expect(await world.converge()).toBe(null);
  expect(await world.ends()).toEqual(['completed']);
  expect(await world.states()).toEqual({ 1: 'destroyed', 2: 'current' });
});

test('the decision that a halted rotation waits for says what is legal, and ends with what is ordered alone', async () => {
  const world = await World.begin(house, BY_PARTNER);
  world.partner.mood = 'refuses';
  await world.start();
  await world.import();
  await world.tick();
  const [task] = await world.desk.ledger.find('tasks', { credential: world.credential, kind: 'decide' });
  const [why, ...steps] = (JSON.parse(task?.body ?? '{}') as { steps: string[] }).steps;
  expect(why).toContain("The partner's answer");
  expect(steps.map((step) => /rotation ([a-z-]+) acme/.exec(step)?.[1])).toEqual(['show', 'retry', 'abort']);
  expect(task).toMatchObject({
    state: 'open',
    owner: 'person:alice',
    title: expect.stringContaining('halted at canary'),
  });
  expect((task?.due_at ?? 0) - (task?.created_at ?? 0)).toBe(86_400_000);
  await world.work(['decide']);
  expect(await world.tasks()).toEqual(['decide']);
  await world.waive('canary');
  expect(await world.tasks()).toEqual([]);
});

test('one of our own key that is replaced while nothing is current any more is promoted', async () => {
  const world = await World.begin(house, { ...BY_PARTNER, keyBy: 'keyturn', signer: 'internal', revokes: 'issuer' });
  await world.start();
  expect(await world.converge()).toBe(null);
  world.partner.mood = 'times-out';
  await world.start();
  await world.until('canary');
  await world.compromise('old');
  expect(await world.converge()).toBe(null);
  expect(await world.ends()).toEqual(['completed', 'completed']);
  expect(await world.states()).toEqual({ 1: 'destroyed', 2: 'current' });
});
