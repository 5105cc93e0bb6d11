import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildServer } from '../scripts/build.mjs';
import { TOOL_PATH } from '../scripts/tools.mjs';
import { TestCa } from '../test/fakes/ca.ts';
import type { Contender } from './lease/contender.ts';
import { startFloor } from './lease/floor.ts';
import { KeyturnContender } from './lease/keyturn.ts';
import { startOpenBao } from './lease/openbao.ts';
import { loadAverage, memoryMiB } from './lease/process.ts';
import { report } from './lease/report.ts';
import { interleaved, type RoundOptions, round } from './lease/round.ts';
import { startStoreElsewhere } from './lease/store-elsewhere.ts';
import { load } from './lease/wrk.ts';

/**
 * `npm run bench:lease -- [options]`: a lease of Keyturn (policy, token, checks, durable entry with receipt, sealed
 * answer) beside a KV read of OpenBao with a file audit device, same secret, same load generator, TLS; once with the
 * key in the instance's own file, and once in another OpenBao behind the cache; with `--postgres 1,2,3` also so many
 * servers over one PostgreSQL, which share the connections (its CPU counts, its memory does not). Rounds are
 * interleaved; ratios are medians of each round's own ratio. Every answer must have its durable entry, and a sample of
 * answers is verified with the client's code while the load runs.
 */
const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    /** Of one round. */
    seconds: { type: 'string', default: '3' },
    /** Of load on each before anything is measured: a server that has run for a while, its code compiled. */
    'warm-up': { type: 'string', default: '20' },
    connections: { type: 'string', default: '1,16,64' },
    /** A new connection for each request: rounds of this kind. */
    'fresh-rounds': { type: 'string', default: '3' },
    /** Client processes that the requests come from. */
    clients: { type: 'string', default: '64' },
    /** Leases after which memory is read; 0 for none. */
    leases: { type: 'string', default: '100000' },
    /** Run what is shipped (compiled to dist/server) instead of the sources. */
    built: { type: 'boolean', default: false },
    /** So many servers over one PostgreSQL, each a subject of its own, e.g. 1,2,3; none for no PostgreSQL. */
    postgres: { type: 'string', default: '' },
    /** Compare a bare server of Node and SQLite as well: what no lease can cost less than. */
    floor: { type: 'boolean', default: false },
    /** Another checkout of Keyturn, compared as well. */
    against: { type: 'string' },
  },
});

// The set-up puts OpenBao into an environment of the checkout's own.
process.env['PATH'] = TOOL_PATH;
// Each server and database that is started listens for the end of this process.
process.setMaxListeners(50);

const [rounds, seconds, freshRounds, clients, leases] = [
  options.rounds,
  options.seconds,
  options['fresh-rounds'],
  options.clients,
  options.leases,
].map(Number) as [number, number, number, number, number];

const folder = await mkdtemp(join(tmpdir(), 'keyturn-bench-'));
const planFile = join(folder, 'plan');
await using cleanUp = new AsyncDisposableStack();
cleanUp.defer(() => rm(folder, { recursive: true, force: true }));

const { keyturns, all } = await startAll();
await warmUp({ connections: 64, seconds: Number(options['warm-up']), fresh: false, planFile });
for (const connections of options.connections.split(',').map(Number)) await compare(connections);
if (freshRounds > 0) await compareFresh();
await showMemory('after these rounds');
if (leases > 0) await lendMany();

async function startAll(): Promise<{ keyturns: KeyturnContender[]; all: Contender[] }> {
  const partner = await TestCa.create('Benchmark CA', 'rsa-2048');
  const issued = await partner.client({ key: 'rsa-2048' });
  const pem = issued.keyPem + issued.certificatePem + partner.certificatePem;
  const bao = await startOpenBao(issued.keyPem + issued.certificatePem);
  cleanUp.defer(() => bao.stop());
  if (options.built) buildServer(join(import.meta.dirname, '..', 'dist', 'server'));
  const elsewhere = await startStoreElsewhere(folder);
  cleanUp.defer(() => elsewhere.stop());
  const started: KeyturnContender[] = [];
  for (const subject of [
    { name: 'keyturn' },
    { name: 'keyturn, bao', configure: elsewhere.configure },
    ...options.postgres
      .split(',')
      .filter((text) => text !== '')
      .map((text) => ({ name: `postgres x ${text}`, replicas: Number(text) })),
    ...(options.against === undefined ? [] : [{ name: 'against', checkout: options.against }]),
  ]) {
    const home = join(folder, `home-${started.length}`);
    await mkdir(home, { mode: 0o700 });
    const keyturn = await KeyturnContender.start({ ...subject, home, pem, clients, built: options.built });
    cleanUp.defer(() => keyturn.stop());
    started.push(keyturn);
  }
  return { keyturns: started, all: [bao, ...started, ...(await floors(pem))] };
}

async function floors(pem: string): Promise<Contender[]> {
  if (!options.floor) return [];
  const home = join(folder, 'floor');
  await mkdir(home, { mode: 0o700 });
  const floor = await startFloor(home, pem);
  cleanUp.defer(() => floor.stop());
  return [floor];
}

async function compare(connections: number): Promise<void> {
  const settings = { connections, seconds, fresh: false, planFile };
  await warmUp(settings);
  const figures = await interleaved(all, rounds, settings);
  const title = `${connections} connection${connections === 1 ? '' : 's'}, kept alive; ${rounds} rounds of ${seconds} s; load average ${loadAverage()}`;
  console.log(report(title, figures, 'openbao'));
}

async function compareFresh(): Promise<void> {
  const settings = { connections: 16, seconds, fresh: true, planFile };
  const figures = await interleaved(all, freshRounds, settings);
  const title = `16 connections, a new one for each request; ${freshRounds} rounds of ${seconds} s; load average ${loadAverage()}`;
  console.log(report(title, figures, 'openbao'));
}

/** Not measured, and not counted, since the witness borrows too: answers are verified as a client does. */
async function warmUp(settings: RoundOptions): Promise<void> {
  for (const contender of all) {
    const loading = load({ urls: contender.urls, plan: await contender.plan(), ...settings });
    if (contender instanceof KeyturnContender) await contender.witness.verify(20);
    await loading;
  }
}

async function lendMany(): Promise<void> {
  for (const keyturn of keyturns) {
    const settings = { connections: 64, seconds: 5, fresh: false, planFile };
    while ((await keyturn.witness.granted()) < leases) await round(keyturn, settings);
  }
  await showMemory(`after ${leases} leases each`);
}

async function showMemory(when: string): Promise<void> {
  console.log(`\nMemory ${when}, MiB`);
  for (const contender of all) {
    const each = await Promise.all(contender.pids.map(memoryMiB));
    const now = each.reduce((sum, one) => sum + one.now, 0);
    const peak = each.reduce((sum, one) => sum + one.peak, 0);
    const granted = contender instanceof KeyturnContender ? `, ${await contender.witness.granted()} leases` : '';
    console.log(`${contender.name.padEnd(16)} ${now.toFixed(0).padStart(6)}  (highest ${peak.toFixed(0)})${granted}`);
  }
}
