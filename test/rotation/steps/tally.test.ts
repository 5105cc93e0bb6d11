import { expect, test } from 'vitest';
import { isWorse } from '../../../src/rotation/steps/swap/tally.ts';

const RULE = { failures: 3, beyond: 0.01 };

function seen(fresh: [number, number], old: [number, number]) {
  const side = ([failures, requests]: [number, number]) => ({ clients: 1, requests, failures });
  return { fresh: side(fresh), old: side(old) };
}

test.each([
  ['nothing was reported', [0, 0], [0, 0], false],
  ['two failures of two are not enough to say anything', [2, 2], [0, 1_000], false],
  ['three failures of three, and none of the others', [3, 3], [0, 1_000], true],
  ['nobody uses the old version', [3, 100], [0, 0], true],
  ['the partner fails everybody alike', [50, 100], [500, 1_000], false],
  ['by no more than is tolerated', [30, 1_000], [20, 1_000], false],
  ['by more than is tolerated', [31, 1_000], [20, 1_000], true],
  ['failures that were reported before their requests', [3, 0], [0, 10], true],
  ['the old version fails more often', [3, 100], [90, 100], false],
] as const)('%s', (_, fresh, old, worse) => {
  expect(isWorse(seen([...fresh], [...old]), RULE)).toBe(worse);
});
