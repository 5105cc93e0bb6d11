import { expect, test } from 'vitest';
import { modelRuns } from './model/model.ts';

const RUNS = 150;

test('whatever is ordered, crashes or is late: no rotation comes to where it must not be, and each ends', async () => {
  const seed = Date.now() % 1_000_000;
  const { ended, runs } = await modelRuns(RUNS, seed);
  expect(runs, `seed ${seed}`).toBe(RUNS);
  expect(Math.min(...['completed', 'aborted', 'rolled-back'].map((end) => ended[end] ?? 0))).toBeGreaterThan(0);
}, 240_000);
