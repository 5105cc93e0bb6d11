import { expect, test } from 'vitest';
import { KillCampaign } from './kill/campaign.ts';
import { randomFrom } from './kill/random.ts';

const KILLS = 12;

test('killed at random moments, nothing acknowledged is lost, nothing is orphaned, and the log verifies', async () => {
  const seed = Date.now() % 1_000_000;
  await using campaign = await KillCampaign.start();
  const random = randomFrom(seed);
  for (let kill = 1; kill <= KILLS; kill += 1) {
    expect(await campaign.killAtRandom(random), `kill ${kill} of seed ${seed}`).toEqual([]);
  }
  expect(await campaign.examine(true)).toEqual([]);
  const { import: imports, companion, lease } = campaign.figures.acknowledged;
  expect(imports + companion).toBeGreaterThan(1);
  expect(lease).toBeGreaterThan(0);
}, 180_000);
