import { KillCampaign, type Step } from '../test/e2e/kill/campaign.ts';
import { killAtEveryPoint } from '../test/e2e/kill/points.ts';
import { randomFrom } from '../test/e2e/kill/random.ts';

/**
 * `npm run soak:kill -- [KILLS] [SEED]`: kills a server at KILLS random moments of imports and leases (default 200),
 * then before every system call around the writes of each step (needs strace), and examines each restart. Exit code 1
 * at the first fault.
 */

const kills = Number(process.argv[2] ?? 200);
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000);
const STEPS: readonly Step[] = ['import', 'companion', 'lease'];

const started = performance.now();
await using campaign = await KillCampaign.start();
const faults = await randomKills();
if (faults.length === 0) faults.push(...(await killsAtPoints()));
if (faults.length === 0) faults.push(...(await campaign.examine(true)));
const { acknowledged, ...figures } = campaign.figures;
const seconds = Math.round((performance.now() - started) / 1000);
console.log(JSON.stringify({ seed, ...figures, ...acknowledged, faults: faults.length, seconds }, null, 2));
for (const fault of faults) console.log(fault);
process.exitCode = faults.length === 0 ? 0 : 1;

async function randomKills(): Promise<string[]> {
  const random = randomFrom(seed);
  for (let kill = 1; kill <= kills; kill += 1) {
    const found = await campaign.killAtRandom(random);
    if (found.length > 0) return found.map((fault) => `random kill ${kill}: ${fault}`);
    if (kill % 20 === 0) console.log(`${kill} random kills`);
  }
  return [];
}

async function killsAtPoints(): Promise<string[]> {
  for (const step of STEPS) {
    let points = 0;
    const count = () => {
      points += 1;
    };
    const found = await killAtEveryPoint(campaign, step, count);
    console.log(`${points} points of one ${step}`);
    if (found.length > 0) return found;
  }
  return [];
}
