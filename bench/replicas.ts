import { loadavg } from 'node:os';
import { randomFrom } from '../test/e2e/kill/random.ts';
import { soak } from '../test/e2e/replicas/soak.ts';

/**
 * `npm run soak:replicas -- [MINUTES] [SEED]`: three servers over one PostgreSQL under load for MINUTES (default 10). A
 * server is killed every few seconds, the database restarted three times and killed once. Exit code 1 if anything that
 * was acknowledged is lost, the log is not one, or a client's call failed.
 */

const minutes = Number(process.argv[2] ?? 10);
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000);

const { figures, faults } = await soak({
  seconds: minutes * 60,
  killEverySeconds: 5,
  random: randomFrom(seed),
  told: (what) => console.log(what),
});
const load = loadavg()[0];
console.log(JSON.stringify({ seed, minutes, ...figures, faults: faults.length, load }, null, 2));
for (const fault of faults) console.log(fault);
process.exitCode = faults.length === 0 ? 0 : 1;
