import { loadavg } from 'node:os';
import { TOOL_PATH } from '../scripts/tools.mjs';
import { randomFrom } from '../test/e2e/kill/random.ts';
import { RotationRace, type RotationRaceFigures } from '../test/e2e/replicas/rotation-race.ts';
import { type CampaignOptions, RotationCampaign } from '../test/e2e/rotation-kill/campaign.ts';
import { WAYS, type Way, waysOf } from '../test/e2e/rotation-kill/ways.ts';
import { modelRuns } from '../test/rotation/model/model.ts';

/**
 * `npm run soak:rotation -- [KILLS] [SEED] [RACES] [AT_ONCE]`: kills a server (SIGKILL) in the midst of rotations until it
 * was killed KILLS times (default 2,400: once through), in every way that a rotation can go, over every key store and
 * ledger in turn, on AT_ONCE instances at a time (default 2). Each instance's ways begin with every one of their points;
 * then points and moments are taken by chance. Everything is looked at after each rotation. Then two servers over one
 * PostgreSQL race for RACES rotations (default KILLS / 4), and as many random runs of the model go by as there were kills.
 * Exit code 1 at the first fault. An interrupt ends it with the rotation that is under way, and gives the figures so far.
 */

process.env['PATH'] = TOOL_PATH;
const kills = Number(process.argv[2] ?? 2_400);
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000);
const races = Number(process.argv[4] ?? Math.ceil(kills / 4));
const atOnce = Number(process.argv[5] ?? 2);

/** Rotations by chance of one instance; the next setting has one of its own. */
const ROUNDS = 8;
/** Ends of one rotation by chance, and passings of a point until it is one. */
const MOST_ENDS = 6;
const MOST_PASSINGS = 3;
/** Ends of one rotation at moments by chance, and how long a server works before one, milliseconds. */
const MOST_MOMENTS = 3;
const LONGEST_WORK_MS = 800;

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
let interrupted = false;
process.once('SIGINT', () => {
  interrupted = true;
});
await Promise.all(Array.from({ length: atOnce }, killInTurn));
const race = faults.length === 0 && races > 0 && !interrupted ? await raceOf(races) : null;
const model = faults.length === 0 && kills > 0 && !interrupted ? await modelRuns(kills, seed) : null;
const seconds = Math.round((performance.now() - started) / 1000);
/** Points at which nobody was killed. */
const missed = WAYS.flatMap(({ name, points }) => points.map((point) => `${name} ${point}`)).filter(
  (point) => total.at[point] === undefined,
).length;
console.log(
  JSON.stringify({ seed, ...total, missed, race, model, faults: faults.length, seconds, load: loadavg()[0] }, null, 2),
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
  while (total.kills < kills && faults.length === 0 && !interrupted) {
    const mine = turn;
    turn += 1;
    const setting = settings[mine % settings.length];
    if (setting === undefined) return;
    const { maker, live, store, ledger } = setting;
    const name = `${maker}, ${live} live, ${store}, ${ledger}`;
    const { found, figures } = await campaignOf(setting, randomFrom(seed + mine));
    faults.push(...found.map((fault) => `campaign ${mine} (${name}): ${fault}`));
    total.rotations += figures.rotations;
    total.kills += figures.kills;
    add(total.in, name, figures.kills);
    for (const [point, times] of Object.entries(figures.at)) add(total.at, point, times);
    console.log(`${total.kills} kills, ${total.rotations} rotations; ${name}: ${figures.kills} kills`);
  }
}

async function campaignOf(setting: CampaignOptions, random: () => number) {
  await using campaign = await RotationCampaign.start(setting);
  const { figures } = campaign;
  const ways = waysOf(setting.maker, setting.live);
  const rounds = [
    ...ways.map((way) => ({ way, points: pointsOf(way.points, () => 1), spans: [] })),
    ...Array.from({ length: ROUNDS }, () => byChance(ways, random)),
  ];
  for (const { way, points, spans } of rounds) {
    if (total.kills + figures.kills >= kills || interrupted) break;
    campaign.endAfter(spans);
    const found = await campaign.rotate(way, points);
    if (found.length > 0) return { found, figures };
  }
  return { found: await campaign.examine(true), figures };
}

function add(figures: Record<string, number>, name: string, times: number): void {
  figures[name] = (figures[name] ?? 0) + times;
}

function byChance(ways: readonly Way[], random: () => number) {
  const upTo = (most: number) => Math.floor(random() * (most + 1));
  const way = ways[upTo(ways.length - 1)] as Way;
  const some = way.points
    .map((point) => ({ point, by: random() }))
    .toSorted((one, other) => one.by - other.by)
    .slice(0, 1 + upTo(MOST_ENDS - 1))
    .map(({ point }) => point);
  return {
    way,
    points: pointsOf(some, () => 1 + upTo(MOST_PASSINGS - 1)),
    spans: Array.from({ length: upTo(MOST_MOMENTS) }, () => upTo(LONGEST_WORK_MS)),
  };
}

function pointsOf(points: readonly string[], nth: () => number): Record<string, number> {
  return Object.fromEntries(points.map((point) => [point, nth()]));
}

/** Every fourth one is cut from its database in its midst. */
async function raceOf(rounds: number): Promise<RotationRaceFigures> {
  await using race = await RotationRace.start();
  while (race.figures.rotations < rounds && race.faults.length === 0 && !interrupted) {
    await race.round(race.figures.rotations % 4 === 3);
    if (race.figures.rotations % 50 === 0) console.log(`${race.figures.rotations} rotations raced for`);
  }
  faults.push(...(await race.examine()));
  return race.figures;
}
