import { expect, test } from 'vitest';
import { KillCampaign } from './kill/campaign.ts';
import { randomFrom } from './kill/random.ts';

const KILLS = 8;
/** Close to the end of the time in which a kill falls. */
const LATE = 0.99;

test('killed at random moments, nothing acknowledged is lost, nothing is orphaned, and the log verifies', async () => {
  const seed = Date.now() % 1_000_000;
  await using campaign = await KillCampaign.start();
  const random = randomFrom(seed);
  for (let kill = 1; kill <= KILLS; kill += 1) {
    expect(await campaign.killAtRandom(random), `kill ${kill} of seed ${seed}`).toEqual([]);
  }
  // On a busy machine the first kills may all fall before the first answer: a few more, late ones, until one does not.
  for (let kill = 1; kill <= KILLS && !enough(campaign); kill += 1) {
    expect(await campaign.killAtRandom(() => LATE), `late kill ${kill} of seed ${seed}`).toEqual([]);
  }
  expect(await campaign.examine(true)).toEqual([]);
  expect(enough(campaign), JSON.stringify(campaign.figures)).toBe(true);
}, 180_000);

/** Whether the kills met work that had been acknowledged. */
function enough({ figures: { acknowledged } }: KillCampaign): boolean {
  return acknowledged.import + acknowledged.companion > 1 && acknowledged.lease > 0;
}
