import { loadavg } from 'node:os';
import { TOOL_PATH } from '../scripts/tools.mjs';
import { randomFrom } from '../test/e2e/kill/random.ts';
import { RotationRace, type RotationRaceFigures } from '../test/e2e/replicas/rotation-race.ts';
import { type KillFigures, RotationCampaign, type StoreKind } from '../test/e2e/rotation-kill/campaign.ts';
import { WAYS, type Way } from '../test/e2e/rotation-kill/ways.ts';
import { modelRuns } from '../test/rotation/model/model.ts';

/**
 * `npm run soak:rotation -- [KILLS] [SEED] [STORE]`: kills a server (SIGKILL) in the midst of rotations until it was
 * killed KILLS times (default 2,000), in every way that a rotation can go, with the keys in STORE: `file` (default),
 * `vault` (a real OpenBao) or `aws` (the emulator). Each way begins with every one of its points; then points are taken
 * by chance. Everything is looked at after each rotation. Then two servers over one PostgreSQL race for KILLS / 4
 * rotations, and as many random runs of the model go by as there were kills. Exit code 1 at the first fault.
 */

process.env['PATH'] = TOOL_PATH;
const kills = Number(process.argv[2] ?? 2_000);
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000);
const store = (process.argv[4] ?? 'file') as StoreKind;

/** Rotations of one instance; the next way has one of its own. */
const ROUNDS = 20;
/** Ends of one rotation by chance, and passings of a point until it is one. */
const MOST_ENDS = 6;
const MOST_PASSINGS = 3;

const random = randomFrom(seed);
const started = performance.now();
const total: KillFigures = { rotations: 0, kills: 0, at: {} };
const faults: string[] = [];
for (let turn = 0; total.kills < kills && faults.length === 0; turn += 1) {
  const way = WAYS[turn % WAYS.length];
  if (way !== undefined) faults.push(...(await campaignOf(way, turn < WAYS.length)));
  console.log(`${total.kills} kills, ${total.rotations} rotations; last: ${way?.name}`);
}
const race = faults.length === 0 ? await raceOf(Math.ceil(kills / 4)) : null;
const model = faults.length === 0 ? await modelRuns(kills, seed) : null;
const seconds = Math.round((performance.now() - started) / 1000);
console.log(
  JSON.stringify({ seed, store, ...total, race, model, faults: faults.length, seconds, load: loadavg()[0] }, null, 2),
);
for (const fault of faults) console.log(fault);
process.exitCode = faults.length === 0 ? 0 : 1;

/** Every fourth one is cut from its database in its midst. */
async function raceOf(rounds: number): Promise<RotationRaceFigures> {
  await using race = await RotationRace.start();
  while (race.figures.rotations < rounds && race.faults.length === 0) {
    await race.round(race.figures.rotations % 4 === 3);
    if (race.figures.rotations % 50 === 0) console.log(`${race.figures.rotations} rotations raced for`);
  }
  faults.push(...(await race.examine()));
  return race.figures;
}

async function campaignOf(way: Way, first: boolean): Promise<string[]> {
  await using campaign = await RotationCampaign.start(way.maker, store);
  const found = first
    ? await campaign.rotate(
        way,
        pointsOf(way.points, () => 1),
      )
    : [];
  for (let round = 0; round < ROUNDS && found.length === 0; round += 1) {
    if (total.kills + campaign.figures.kills >= kills) break;
    found.push(...(await campaign.rotate(way, chosen(way))));
  }
  if (found.length === 0) found.push(...(await campaign.examine(true)));
  total.rotations += campaign.figures.rotations;
  total.kills += campaign.figures.kills;
  for (const [point, times] of Object.entries(campaign.figures.at)) total.at[point] = (total.at[point] ?? 0) + times;
  return found.map((fault) => `${way.name}: ${fault}`);
}

function chosen({ points }: Way): Record<string, number> {
  const some = points.toSorted(() => random() - 0.5).slice(0, 1 + Math.floor(random() * MOST_ENDS));
  return pointsOf(some, () => 1 + Math.floor(random() * MOST_PASSINGS));
}

function pointsOf(points: readonly string[], nth: () => number): Record<string, number> {
  return Object.fromEntries(points.map((point) => [point, nth()]));
}
