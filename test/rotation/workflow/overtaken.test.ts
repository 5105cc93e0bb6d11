import { afterEach, expect, test } from 'vitest';
import { QUICK, RotationStage } from '../stage.ts';

let stage: RotationStage;
/** Done once, between what a step has found and its record. */
let meanwhile: { readonly point: string; readonly nth: number; readonly act: () => Promise<unknown> } | null = null;
let passed = 0;
afterEach(() => stage.strike());

async function set(): Promise<void> {
  passed = 0;
  const onPoint = (name: string) => {
    if (meanwhile === null || name !== meanwhile.point) return;
    passed += 1;
    if (passed !== meanwhile.nth) return;
    const { act } = meanwhile;
    meanwhile = null;
    // It is on its way to the ledger before the step's own record.
    void act();
  };
  stage = await RotationStage.set({ rotation: { pace: QUICK, onPoint } });
}

test('a lease that is granted just then keeps the old version from being retired', async () => {
  await set();
  const lease = {
    id: `lease_${'0'.repeat(32)}`,
    credential: 'lean/sandbox',
    version: 1,
    principal: 'service:payments',
    token: 'token',
    state: 'live',
    granted_at: Date.now(),
    renewed_at: null,
    expires_at: Date.now() + 3_600_000,
    uses: null,
    replaced_by: null,
    in_use: null,
  } as const;
  // The look finds that nobody is left.
  meanwhile = {
    point: 'drain:acted',
    nth: 1,
    act: () =>
      stage.ledger.commit({
        writes: [{ insert: 'leases', row: lease }],
        entry: { kind: 'lease.granted', actor: 'service:payments', credential: 'lean/sandbox', version: 1, data: {} },
      }),
  };
  await stage.start();
  await stage.import();
  const waiting = await stage.until('waiting', ({ stragglers }) => stragglers.length > 0);
  expect(waiting).toMatchObject({ step: 'drain', stragglers: [{ principal: 'service:payments' }] });
  expect(meanwhile).toBeNull();
  expect(await stage.states()).toEqual({ 1: 'previous', 2: 'current' });
});

test('what was steered just then stands, and nothing of the step is written over it', async () => {
  await set();
  const { body } = await stage.start();
  const halt = () =>
    stage.ledger.commit({
      writes: [
        {
          update: 'rotations',
          where: { id: String(body['id']) },
          set: { state: 'halted', step: 'canary', revision: 1_000 },
          rows: 1,
        },
      ],
      entry: { kind: 'test.steered', actor: 'person:alice', credential: 'lean/sandbox', data: {} },
    });
  meanwhile = { point: 'canary:acted', nth: 1, act: halt };
  await stage.import();
  const halted = await stage.untilState('halted');
  await stage.keyturn.serving.instance.rotator.tick();
  expect(await stage.show()).toMatchObject({ state: 'halted', step: 'canary', found: { keyBy: 'partner' } });
  expect(halted.found['canary']).toBeUndefined();
  expect(await stage.states()).toEqual({ 1: 'current', 2: 'staged' });
});
