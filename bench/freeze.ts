import { loadavg } from 'node:os';
import { randomFrom } from '../test/e2e/kill/random.ts';
import { FreezeRace } from '../test/e2e/replicas/freeze-race.ts';

/**
 * `npm run soak:freeze -- [ROUNDS] [SEED]`: two servers over one PostgreSQL; one lends and renews while the other
 * freezes what it lends, ROUNDS times (default 2,000). What was lent between a hold and its lifting is told from the log
 * alone. Exit code 1 if anything was.
 */

const rounds = Number(process.argv[2] ?? 2_000);
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000);

const started = performance.now();
await using race = await FreezeRace.start();
const random = randomFrom(seed);
while (race.figures.rounds < rounds) {
  await race.round(random);
  if (race.figures.rounds % 200 === 0) console.log(`${race.figures.rounds} rounds`);
}
const faults = await race.faults();
const seconds = Math.round((performance.now() - started) / 1000);
console.log(JSON.stringify({ seed, ...race.figures, faults: faults.length, seconds, load: loadavg()[0] }, null, 2));
for (const fault of faults) console.log(fault);
process.exitCode = faults.length === 0 ? 0 : 1;
