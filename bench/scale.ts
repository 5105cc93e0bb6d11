import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Config } from '../src/compose/config.ts';
import { initInstance } from '../src/compose/init.ts';
import { cannotAsk } from '../src/compose/master-key.ts';
import { readLogKey } from '../src/compose/open.ts';
import { openOwnStore } from '../src/compose/stores.ts';
import { PostgresCluster } from '../test/fakes/postgres/cluster.ts';
import { loadAverage } from './lease/process.ts';
import { fillDatabase, fillFile } from './scale/fill.ts';
import type { Size } from './scale/generate.ts';
import { type Figures, measure } from './scale/measure.ts';

/**
 * `npm run bench:scale -- [options]`: start-up, lists, queries, metrics, export, verification and memory of an instance
 * of each size, and how they grow from the first size to the last. Ledgers are filled in bulk, with the bytes that commits
 * would have written; then everything goes through the server and the commands. The whole is 100,000 credentials and ten
 * million entries: `--sizes 1000:100000,10000:1000000,100000:10000000`.
 */
const { values: options } = parseArgs({
  options: {
    /** CREDENTIALS:ENTRIES of each. */
    sizes: { type: 'string', default: '500:10000,2000:50000,10000:250000' },
    ledgers: { type: 'string', default: 'sqlite,postgres' },
  },
});

const sizes = options.sizes.split(',').map((text): Size => {
  const [credentials = 0, entries = 0] = text.split(':').map(Number);
  return { credentials, entries };
});

for (const ledger of options.ledgers.split(',')) {
  const found: Figures[] = [];
  for (const size of sizes) found.push(await (ledger === 'postgres' ? inPostgres(size) : inFile(size)));
  report(ledger, found);
}

async function inFile(size: Size): Promise<Figures> {
  await using undo = new AsyncDisposableStack();
  const home = await folder(undo);
  const { config, logKey } = await initInstance({ home, administrator: 'alice', port: 0, ask: cannotAsk });
  if (!('path' in config.ledger)) throw new Error('The ledger is no file.');
  const { path } = config.ledger;
  const privateKey = await logKeyOf(config);
  const seconds = await timed(async () => fillFile(path, size, { origin: config.origin, privateKey }));
  return { 'filled in, s': seconds, ...(await measure(home, size, logKey)) };
}

async function inPostgres(size: Size): Promise<Figures> {
  await using undo = new AsyncDisposableStack();
  const cluster = undo.use(
    await PostgresCluster.start({ settings: { shared_buffers: '256MB', max_wal_size: '4GB', work_mem: '16MB' } }),
  );
  const { passwordFile = '', port = 0, ...place } = await cluster.database();
  const home = await folder(undo);
  const postgres = { ...place, port, 'password-file': passwordFile };
  const made = await initInstance({ home, administrator: 'alice', port: 0, ask: cannotAsk, postgres });
  const privateKey = await logKeyOf(made.config);
  const { origin } = made.config;
  const seconds = await timed(() => fillDatabase({ ...place, port, passwordFile }, size, { origin, privateKey }));
  return { 'filled in, s': seconds, ...(await measure(home, size, made.logKey)) };
}

async function folder(undo: AsyncDisposableStack): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'keyturn-scale-'));
  undo.defer(() => rm(path, { recursive: true, force: true }));
  return join(path, 'home');
}

async function logKeyOf(config: Config) {
  const store = await openOwnStore(config, cannotAsk, {});
  try {
    return await readLogKey(store);
  } finally {
    await store.close();
  }
}

async function timed(work: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

function report(ledger: string, found: readonly Figures[]): void {
  const [first, last] = [sizes[0], sizes.at(-1)];
  const growth = (last?.entries ?? 1) / (first?.entries ?? 1);
  console.log(`\n${ledger}; load average ${loadAverage()}; entries grow ${growth.toFixed(1)} times`);
  const head = sizes.map(({ credentials, entries }) => `${credentials}:${entries}`.padStart(16)).join('');
  console.log(`${'credentials:entries'.padEnd(32)}${head}    grows`);
  for (const name of Object.keys(found[0] ?? {})) {
    const values = found.map((figures) => figures[name] ?? 0);
    const shown = values.map((value) => (value < 100 ? value.toFixed(1) : value.toFixed(0)).padStart(16)).join('');
    console.log(`${name.padEnd(32)}${shown}${`×${((values.at(-1) ?? 0) / (values[0] || 1)).toFixed(1)}`.padStart(9)}`);
  }
}
