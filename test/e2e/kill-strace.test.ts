import { afterAll, beforeAll, expect, test } from 'vitest';
import { KillCampaign, type Step } from './kill/campaign.ts';

const RENAME = '?rename,?renameat,renameat2';

/**
 * An import commits its intent, writes a new key file beside the old one, renames it, and commits its outcome; each
 * commit is followed by a checkpoint outside. `npm run soak:kill` goes through every call; these are the turns.
 */
const POINTS: readonly (readonly [Step, string, number])[] = [
  ['import', RENAME, 1],
  ['import', RENAME, 2],
  ['import', 'fsync', 1],
  ['import', 'fsync', 2],
  ['import', 'fsync', 3],
  ['import', 'fsync', 4],
  ['import', '?open,openat', 4],
  ['import', 'pwrite64', 1],
  ['import', 'pwrite64', 4],
  ['import', 'pwrite64', 9],
  ['companion', RENAME, 2],
  ['lease', 'pwrite64', 2],
  ['lease', 'fsync', 1],
];

let campaign: KillCampaign;

beforeAll(async () => {
  campaign = await KillCampaign.start();
});

afterAll(async () => {
  await campaign[Symbol.asyncDispose]();
});

test.each(POINTS)(
  'killed in one %s before %s #%i, nothing is lost or orphaned',
  async (step, calls, nth) => {
    expect(await campaign.killAtPoint(step, { calls, nth })).toEqual([]);
  },
  60_000,
);

test('after all of that the log verifies, against every checkpoint that stood outside', async () => {
  expect(await campaign.examine(true)).toEqual([]);
});
