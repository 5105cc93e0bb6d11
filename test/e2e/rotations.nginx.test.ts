import { expect, test } from 'vitest';
import { nginxPartner } from './rotations/partners.ts';
import { rotateUnderLoad } from './rotations/run.ts';

test('rotations in a row against nginx while two services call: none fails', async () => {
  await using partner = await nginxPartner();
  const run = await rotateUnderLoad({ partner, rotations: 2 });
  expect(run.control).toMatchObject({ failed: 0, failures: {} });
  expect(run.rotated).toMatchObject({ failed: 0, failures: {}, swaps: 4 });
  expect(run).toMatchObject({ proven: 2, destroyed: 2, current: 1 });
}, 120_000);
