import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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

async function facts(world: World) {
  return factsOf((await world.open()) ?? { facts: '{}' });
}

/** At `revoke`, with no clear answer to a certificate so far. */
async function uncontrolled(): Promise<World> {
  const world = await World.begin(house, BY_PARTNER);
  await world.start();
  await world.import();
  world.partner.mood = 'times-out';
  await world.tick();
  await world.waive('canary');
  await world.until('revoke');
  return world;
}

describe('the old certificate, before anybody is asked to revoke it', () => {
  test('is shown until there is a clear answer', async () => {
    const world = await uncontrolled();
    await world.tick();
    expect(await world.tasks()).toEqual([]);
    expect((await world.open())?.waits_for).toContain('version 1 is to be seen accepted');
    world.partner.mood = 'accepts';
    world.forward(PACE.retryMostMs);
    await world.tick();
    expect(await facts(world)).toMatchObject({ control: { verdict: 'accepted' } });
    expect(await world.tasks()).toEqual(['revoke']);
  });

  test('is revoked all the same when there was none for long enough, and the proof says that its control is missing', async () => {
    const world = await uncontrolled();
    await world.tick();
    world.forward(PACE.controlMs);
    await world.tick();
    expect(await world.tasks()).toEqual(['revoke']);
    expect(await facts(world)).toMatchObject({ control: { verdict: 'inconclusive' } });
    expect(await world.converge()).toBe(null);
    expect(await world.entries('version.proven-dead')).toMatchObject([{ control: 'inconclusive' }]);
  });

  test('waits for no answer where its key is compromised', async () => {
    const world = await uncontrolled();
    await world.compromise('old');
    world.forward(PACE.retryMostMs);
    await world.tick();
    expect(await world.tasks()).toEqual(['revoke']);
    const [task] = await world.desk.ledger.find('tasks', { credential: world.credential, kind: 'revoke' });
    expect(task?.body).toMatch(/Reason: +keyCompromise/);
  });
});

test('a proof that is not there is tried ever later, an hour at most, and no later than its deadline', async () => {
  const world = await World.begin(house, { ...OWN });
  world.pace = { ...PACE, proofMostMs: 3_600_000, retryMostMs: 300_000 };
  world.restart();
  await world.start();
  expect(await world.converge()).toBe(null);
  await world.start();
  world.partner.deaf = true;
  await world.until('prove');
  const began = world.desk.clock.now();
  let rounds = 0;
  for (let minute = 0; minute < 24 * 60; minute += 1) {
    world.forward(60_000);
    await world.tick();
    if (minute === 60) rounds = (await world.entries('rotation.proof-round')).length;
  }
  expect(rounds).toBeGreaterThanOrEqual(15);
  const inADay = (await world.entries('rotation.proof-round')).length;
  expect(inADay).toBeLessThan(90);
  expect(await world.tasks()).toEqual(['look']);
  expect((await facts(world)).overdueSince ?? 0).toBeLessThanOrEqual(began + 86_400_000 + 60_000);
  world.partner.deaf = false;
  world.forward(3_600_000);
  await world.tick();
  world.forward(3_600_000);
  expect(await world.converge()).toBe(null);
}, 60_000);

test('a certificate that comes of a request after its rotation was aborted is found and revoked', async () => {
  const world = await World.begin(house, OWN);
  world.trouble = 'answer late';
  await world.start();
  await world.until('request');
  await world.tick();
  expect(await world.abort()).toBe(null);
  world.forward(1_000);
  await world.tick();
  expect(await world.open()).toMatchObject({
    state: 'undoing',
    waits_for: expect.stringContaining('looking at the issuer'),
  });
  await world.lateAnswers();
  world.trouble = 'none';
  world.forward(PACE.lateAnswerMs);
  await world.tick();
  expect(await world.ends()).toEqual(['aborted']);
  const issued = await world.desk.ledger.find('issued', { credential: world.credential });
  expect(issued).toMatchObject([{ reason: 'cessationOfOperation' }]);
  expect(await world.entries('rotation.certificate-revoked')).toMatchObject([
    { by: 'internal', reason: 'cessationOfOperation', reasonKept: true },
  ]);
});

test('what is given up because its key is compromised is revoked for that', async () => {
  const world = await World.begin(house, OWN);
  world.partner.mood = 'times-out';
  await world.start();
  await world.until('canary');
  await world.compromise('new');
  await world.abort();
  expect(await world.converge()).toBe(null);
  const issued = await world.desk.ledger.find('issued', { credential: world.credential });
  expect(issued).toMatchObject([{ reason: 'keyCompromise' }]);
});
