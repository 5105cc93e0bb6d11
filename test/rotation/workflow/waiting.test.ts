import { afterEach, expect, test } from 'vitest';
import { Rotator } from '../../../src/rotation/workflow/rotator.ts';
import { QUICK, RotationStage } from '../stage.ts';

let stage: RotationStage;
afterEach(() => stage.strike());

/** Entries of a kind so far. */
async function count(kind: string): Promise<number> {
  return (await stage.kinds()).filter((one) => one === kind).length;
}

test('what it waits for is on the log once, however long it waits for a waiver', async () => {
  stage = await RotationStage.set({ test: null });
  await stage.start();
  await stage.import();
  await stage.done('revoke');
  await stage.until('alarmed', ({ tasks }) => tasks.some(({ kind }) => kind === 'look'));
  const before = await stage.kinds();
  for (let look = 0; look < 10; look += 1) {
    await stage.keyturn.serving.instance.rotator.tick();
    await new Promise((resolve) => setTimeout(resolve, QUICK.lookMs));
  }
  expect(await stage.kinds()).toEqual(before);
});

test('what one server waits with before it tries again, all servers of the ledger wait with', async () => {
  const pace = { ...QUICK, retryMs: 60_000, retryMostMs: 60_000, canaryTries: 3 };
  stage = await RotationStage.set({ rotation: { pace } });
  const { desk, issuers, rotator } = stage.keyturn.serving.instance;
  const other = new Rotator({ desk, issuers, pace });
  await stage.partner.set({ failWith: { status: 503 } });
  await stage.start();
  await stage.import();
  await stage.until('tried', ({ waitsFor }) => waitsFor?.includes('Trying again') === true);
  for (let look = 0; look < 3; look += 1) {
    await other.tick();
    await rotator.tick();
  }
  expect(await count('rotation.canary')).toBe(1);
  // An order of a person is not waited with.
  await stage.waive('canary');
  await stage.untilStep('revoke');
});
