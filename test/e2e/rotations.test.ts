import { expect, test } from 'vitest';
import { fixturePartner } from './rotations/partners.ts';
import { rotateUnderLoad } from './rotations/run.ts';

test('rotations in a row while two services call: no call fails, each old certificate is proven dead and destroyed', async () => {
  await using partner = await fixturePartner();
  const run = await rotateUnderLoad({ partner, rotations: 3 });
  expect(run.control).toMatchObject({ failed: 0, failures: {} });
  expect(run.rotated).toMatchObject({ failed: 0, failures: {}, swaps: 6, repeated: 0 });
  expect(run.rotated.calls).toBeGreaterThan(100);
  expect(run).toMatchObject({ proven: 3, destroyed: 3, current: 1 });
}, 120_000);
