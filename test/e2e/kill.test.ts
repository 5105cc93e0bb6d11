import { expect, test } from 'vitest';
import { KillCampaign } from './kill/campaign.ts';
import { randomFrom } from './kill/random.ts';

const KILLS = 14;

test('killed at random moments, nothing acknowledged is lost, nothing is orphaned, and the log verifies', async () => {
  const seed = Date.now() % 1_000_000;
  await using campaign = await KillCampaign.start();
  const random = randomFrom(seed);
  for (let kill = 1; kill <= KILLS; kill += 1) {
    expect(await campaign.killAtRandom(random), `kill ${kill} of seed ${seed}`).toEqual([]);
  }
  expect(await campaign.examine(true)).toEqual([]);
  const { acknowledged } = campaign.figures;
  expect(Math.min(acknowledged.import, acknowledged.companion, acknowledged.lease)).toBeGreaterThan(0);
}, 60_000);
