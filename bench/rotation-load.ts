import { loadavg } from 'node:os';
import { fixturePartner, nginxPartner } from '../test/e2e/rotations/partners.ts';
import { rotateUnderLoad } from '../test/e2e/rotations/run.ts';

/**
 * `npm run soak:rotation-load -- [ROTATIONS] [fixture|nginx]`: ROTATIONS (default 20) in a row while services in processes of
 * their own call the partner without a pause, over kept connections and new ones. Exit code 1 when a call
 * failed, there or in the control run before it, or a certificate was not proven dead.
 */

const rotations = Number(process.argv[2] ?? 20);
const kind = process.argv[3] ?? 'fixture';
await using partner = kind === 'nginx' ? await nginxPartner() : await fixturePartner();
const run = await rotateUnderLoad({ partner, rotations, told: (what) => console.log(what) });
const sorted = run.seconds.toSorted((a, b) => a - b);
const figures = { median: sorted[Math.floor(sorted.length / 2)], longest: sorted.at(-1), load: loadavg()[0] };
console.log(JSON.stringify({ kind, rotations, ...run, seconds: figures }, null, 2));
const sound =
  run.rotated.failed === 0 && run.control.failed === 0 && run.proven === rotations && run.destroyed === rotations;
process.exitCode = sound ? 0 : 1;
