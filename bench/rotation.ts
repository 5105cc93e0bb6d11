import { loadavg } from 'node:os';
import { TOOL_PATH } from '../scripts/tools.mjs';
import { randomFrom } from '../test/e2e/kill/random.ts';
import { RotationRace, type RotationRaceFigures } from '../test/e2e/replicas/rotation-race.ts';
import { type CampaignOptions, RotationCampaign } from '../test/e2e/rotation-kill/campaign.ts';
import { WAYS, type Way, waysOf } from '../test/e2e/rotation-kill/ways.ts';
import { modelRuns } from '../test/rotation/model/model.ts';

/**
 * `npm run soak:rotation -- [KILLS] [SEED] [RACES] [AT_ONCE]`: kills a server (SIGKILL) in the midst of rotations until it
 * was killed KILLS times (default 2,000), in every way that a rotation can go, over every key store and ledger in turn, on
 * AT_ONCE instances at a time (default 2). Each instance's ways begin with every one of their points; then points are taken
 * by chance. Everything is looked at after each rotation. Then two servers over one PostgreSQL race for RACES rotations
 * (default KILLS / 4), and as many random runs of the model go by as there were kills. Exit code 1 at the first fault.
 */

process.env['PATH'] = TOOL_PATH;
const kills = Number(process.argv[2] ?? 2_000);
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000);
const races = Number(process.argv[4] ?? Math.ceil(kills / 4));
const atOnce = Number(process.argv[5] ?? 2);

/** Rotations by chance of one instance; the next setting has one of its own. */
const ROUNDS = 8;
/** Ends of one rotation by chance, and passings of a point until it is one. */
const MOST_ENDS = 6;
const MOST_PASSINGS = 3;

interface Figures {
  rotations: number;
  kills: number;
  /** Campaign → kills in it; way and point → kills there. */
  readonly in: Record<string, number>;
  readonly at: Record<string, number>;
}

const started = performance.now();
const total: Figures = { rotations: 0, kills: 0, in: {}, at: {} };
const faults: string[] = [];
const settings = everySetting();
let turn = 0;
await Promise.all(Array.from({ length: atOnce }, killInTurn));
const race = faults.length === 0 && races > 0 ? await raceOf(races) : null;
const model = faults.length === 0 && kills > 0 ? await modelRuns(kills, seed) : null;
const seconds = Math.round((performance.now() - started) / 1000);
const never = WAYS.flatMap(({ name, points }) => points.map((point) => `${name} ${point}`)).filter(
  (point) => total.at[point] === undefined,
);
console.log(
  JSON.stringify({ seed, ...total, never, race, model, faults: faults.length, seconds, load: loadavg()[0] }, null, 2),
);
for (const fault of faults) console.log(fault);
process.exitCode = faults.length === 0 ? 0 : 1;

/** The ones that differ most come one after the other. */
function everySetting(): CampaignOptions[] {
  const makers = [...new Set(WAYS.map(({ maker, live }) => `${maker} ${live}`))];
  const places = [
    ['file', 'sqlite'],
    ['vault', 'postgres'],
    ['aws', 'sqlite'],
    ['file', 'postgres'],
    ['vault', 'sqlite'],
    ['aws', 'postgres'],
  ] as const;
  return places.flatMap((_, shift) =>
    makers.map((each, index) => {
      const [maker, live] = each.split(' ') as [CampaignOptions['maker'], string];
      const [store, ledger] = places[(index + shift) % places.length] ?? ['file', 'sqlite'];
      return { maker, live: live === '1' ? 1 : 2, store, ledger, listening: shift === 0 && maker === 'portal' };
    }),
  );
}

async function killInTurn(): Promise<void> {
  while (total.kills < kills && faults.length === 0) {
    const mine = turn;
    turn += 1;
    const setting = settings[mine % settings.length];
    if (setting === undefined) return;
    const { maker, live, store, ledger } = setting;
    const name = `${maker}, ${live} live, ${store}, ${ledger}`;
    const before = total.kills;
    const found = await campaignOf(setting, name, randomFrom(seed + mine));
    faults.push(...found.map((fault) => `campaign ${mine} (${name}): ${fault}`));
    console.log(`${total.kills} kills, ${total.rotations} rotations; ${name}: ${total.kills - before} or fewer`);
  }
}

async function campaignOf(setting: CampaignOptions, name: string, random: () => number): Promise<string[]> {
  await using campaign = await RotationCampaign.start(setting);
  const ways = waysOf(setting.maker, setting.live);
  const found: string[] = [];
  for (const way of ways)
    if (found.length === 0)
      found.push(
        ...(await campaign.rotate(
          way,
          pointsOf(way.points, () => 1),
        )),
      );
  for (let round = 0; round < ROUNDS && found.length === 0; round += 1) {
    if (total.kills + campaign.figures.kills >= kills) break;
    const way = ways[Math.floor(random() * ways.length)];
    if (way !== undefined) found.push(...(await campaign.rotate(way, chosen(way, random))));
  }
  if (found.length === 0) found.push(...(await campaign.examine(true)));
  const { figures } = campaign;
  total.rotations += figures.rotations;
  total.kills += figures.kills;
  add(total.in, name, figures.kills);
  for (const [point, times] of Object.entries(figures.at)) add(total.at, point, times);
  return found;
}

function add(figures: Record<string, number>, name: string, times: number): void {
  figures[name] = (figures[name] ?? 0) + times;
}

function chosen({ points }: Way, random: () => number): Record<string, number> {
  const some = points
    .map((point) => ({ point, by: random() }))
    .toSorted((one, other) => one.by - other.by)
    .slice(0, 1 + Math.floor(random() * MOST_ENDS));
  return pointsOf(
    some.map(({ point }) => point),
    () => 1 + Math.floor(random() * MOST_PASSINGS),
  );
}

function pointsOf(points: readonly string[], nth: () => number): Record<string, number> {
  return Object.fromEntries(points.map((point) => [point, nth()]));
}

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
