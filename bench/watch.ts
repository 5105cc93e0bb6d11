import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestInstance } from '../test/e2e/instance.ts';
import { send } from '../test/e2e/kill/send.ts';
import { ServerProcess } from '../test/e2e/kill/server-process.ts';
import { ReplicaSet } from '../test/e2e/replicas/replica-set.ts';
import { TestCa } from '../test/fakes/ca.ts';
import { cpuSeconds, loadAverage, memoryMiB } from './lease/process.ts';
import { Crowd } from './watch/crowd.ts';

/**
 * `npm run bench:watch -- [WATCHERS] [SERVERS]` (1,000 and 3): how long after the answer to a promotion or a freeze each
 * watcher is told, over all servers, and what idle watchers cost. One server has its ledger in a file, more have one
 * PostgreSQL.
 */

const watchers = Number(process.argv[2] ?? 1_000);
const count = Number(process.argv[3] ?? 3);
const ROUNDS = 5;
/** What a crowd costs while nothing happens is read over this, seconds. */
const IDLE_SECONDS = 10;

const tokens = { service: '', administrator: '' };
await using undo = new AsyncDisposableStack();
const { homes, urls } = await place();
const servers = homes.map(() => undo.adopt(new ServerProcess(), (server) => server.kill()));
const served = await Promise.all(servers.map((server, at) => server.serve(homes[at] ?? '')));
const bases = urls ?? served.map((url) => url ?? '');
const ca = await readFile(join(homes[0] ?? '', 'listener', 'ca.crt'), 'utf8');
const crowd = undo.adopt(new Crowd(), (each) => each.leave());
await measure();

async function measure(): Promise<void> {
  const before = await memory();
  await crowd.join(bases, watchers, { ca, token: tokens.service });
  const cpuBefore = await cpu();
  await sleep(IDLE_SECONDS * 1000);
  const thousands = watchers / 1000;
  const cpuPercent = (((await cpu()) - cpuBefore) / IDLE_SECONDS) * 100;
  const perThousand = { mib: ((await memory()) - before) / thousands, cpuPercent: cpuPercent / thousands };
  console.log(
    `${watchers} watchers, ${count} servers, load ${loadAverage()}. 1,000 idle ones: ` +
      `${perThousand.mib.toFixed(0)} MiB, ${perThousand.cpuPercent.toFixed(1)} % of a core`,
  );
  const promoted: number[] = [];
  const frozen: number[] = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    const version = round + 1;
    promoted.push(
      ...(await crowd.delays('promoted', () => post(`/v1/credentials/lean%2Fsandbox/versions/${version}/promote`, {}))),
    );
    const hold = { target: 'version', subject: 'lean/sandbox', version: round, reason: 'bench' };
    frozen.push(...(await crowd.delays('frozen', () => post('/v1/holds', hold))));
    // The second telling of those at the server that took it.
    await sleep(500);
  }
  tell('promoted', promoted);
  tell('frozen', frozen);
}

function tell(what: string, delays: readonly number[]): void {
  const sorted = delays.toSorted((a, b) => a - b);
  const at = (part: number) => (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0).toFixed(0);
  console.log(
    `${what}: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms (${sorted.length}), load ${loadAverage()}`,
  );
}

async function place(): Promise<{ homes: readonly string[]; urls: readonly string[] | null }> {
  if (count > 1) return undo.use(await ReplicaSet.start({ servers: count, prepare }));
  const first = await TestInstance.start();
  undo.defer(() => rm(first.home, { recursive: true, force: true }));
  await prepare(first);
  await first.serving.stop();
  return { homes: [first.home], urls: null };
}

async function prepare(first: TestInstance): Promise<void> {
  tokens.administrator = first.admin;
  tokens.service = await first.grant('service:payments', 'service');
  const partner = await TestCa.create();
  for (let version = 1; version <= ROUNDS + 1; version += 1) {
    const { keyPem, certificatePem } = await partner.client();
    const reply = await first.import('lean/sandbox', {
      'all.pem': Buffer.from(keyPem + certificatePem + partner.chainPem),
    });
    if (reply.status !== 201) throw new Error(reply.text);
  }
}

async function post(path: string, json: object): Promise<void> {
  const body = Buffer.from(JSON.stringify(json));
  const headers = {
    authorization: `Bearer ${tokens.administrator}`,
    'content-type': 'application/json',
    'content-length': body.length,
  };
  const answer = await send(new URL(path, bases[0]), { method: 'POST', ca, agent: false, headers }, body);
  if (answer === null || answer.status >= 300) throw new Error(`${path}: ${answer?.text}`);
}

async function memory(): Promise<number> {
  const all = await Promise.all(servers.map(({ pid }) => memoryMiB(pid)));
  return all.reduce((sum, { now }) => sum + now, 0);
}

async function cpu(): Promise<number> {
  const all = await Promise.all(servers.map(({ pid }) => cpuSeconds(pid)));
  return all.reduce((sum, each) => sum + each, 0);
}
