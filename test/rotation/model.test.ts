import { expect, test } from 'vitest';
import { modelRuns } from './model/model.ts';

const RUNS = 100;
/** The same each time, so that what fails here was changed; `npm run soak:rotation` draws others. */
const SEED = 9;

test('whatever is ordered, crashes or is late: no rotation comes to where it must not be, and each ends', async () => {
  const { ended, runs, resumed } = await modelRuns(RUNS, SEED);
  expect(runs).toBe(RUNS);
  expect(Math.min(...['completed', 'aborted', 'rolled-back'].map((end) => ended[end] ?? 0))).toBeGreaterThan(0);
  expect(resumed).toBeGreaterThan(0);
}, 240_000);
