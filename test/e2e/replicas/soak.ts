import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConnectionFile } from '../../../src/client/index.ts';
import { loadConfig } from '../../../src/compose/config.ts';
import { cannotAsk } from '../../../src/compose/master-key.ts';
import { openInstance } from '../../../src/compose/open.ts';
import { type Partner, startPartner } from '../../fakes/partner/partner.ts';
import { edit, type TestInstance } from '../instance.ts';
import { examine, readLog, verifyWhole } from '../kill/examine.ts';
import { ReplicaSet } from './replica-set.ts';
import { SoakCallers } from './soak-callers.ts';
import { SoakClients } from './soak-clients.ts';
import { SoakServer } from './soak-server.ts';

const SERVERS = 3;
const CLIENTS = 4;

/** When, in parts of the whole time, something happens to the database. */
const DATABASE = [
  { at: 0.2, what: 'restart' },
  { at: 0.4, what: 'restart' },
  { at: 0.6, what: 'kill' },
  { at: 0.8, what: 'restart' },
] as const;

export interface SoakOptions {
  readonly seconds: number;
  /** Between two kills of a server. */
  readonly killEverySeconds: number;
  readonly random: () => number;
  readonly told?: (what: string) => void;
}

export interface SoakFigures {
  readonly kills: number;
  readonly restarts: number;
  readonly entries: number;
  readonly leases: number;
  readonly holds: number;
  /** Holds that a journal took first. */
  readonly journalled: number;
  readonly calls: number;
  readonly renewals: number;
  readonly alarms: Readonly<Record<string, number>>;
  readonly checkpoints: number;
}

/**
 * Three servers over one PostgreSQL, with clients that call their partner all the time. Servers are killed one after
 * the other, the database is restarted and killed; then everything that was acknowledged is looked for.
 */
export async function soak(options: SoakOptions): Promise<{ figures: SoakFigures; faults: string[] }> {
  await using undo = new AsyncDisposableStack();
  const partner = undo.adopt(await startPartner(), (each) => each.stop());
  const tokens = { service: '', administrator: '' };
  const set = undo.use(
    await ReplicaSet.start({
      servers: SERVERS,
      prepare: async (first) => {
        tokens.service = await prepare(first, partner);
        tokens.administrator = first.admin;
      },
    }),
  );
  const servers = set.homes.map((home, at) => new SoakServer(home, set.urls[at] ?? ''));
  undo.defer(async () => void (await Promise.all(servers.map((server) => server.stop()))));
  for (const server of servers) await server.start();
  const connection = await connectionOf(set);
  const clients = await SoakClients.start({
    connection,
    token: tokens.service,
    count: CLIENTS,
    url: `${partner.mtlsUrl}/whoami`,
  });
  undo.defer(() => clients.stop());
  const callers = new SoakCallers({ urls: set.urls, ca: connection.ca, ...tokens });
  undo.defer(() => callers.stop());
  await trouble(set, servers, options);
  await callers.stop();
  await clients.stop();
  await Promise.all(servers.map((server) => server.stop()));
  const found = await afterwards(set, servers, callers);
  const { calls, renewals, alarms } = clients;
  const { leases, holds, journalled } = callers;
  const figures = {
    kills: servers.reduce((sum, { kills }) => sum + kills, 0),
    restarts: DATABASE.length,
    entries: found.entries,
    leases: leases.length,
    holds: holds.length,
    journalled,
    calls,
    renewals,
    alarms,
    checkpoints: servers.flatMap(({ checkpoints }) => checkpoints).length,
  };
  const crashed = servers.flatMap(({ crashes, url }) =>
    crashes === 0 ? [] : [`${url} ended by itself ${crashes} times`],
  );
  return { figures, faults: [...crashed, ...clients.faults, ...callers.faults, ...found.faults] };
}

async function prepare(first: TestInstance, partner: Partner): Promise<string> {
  await first.meet(partner);
  const { zip } = await partner.portal.generate({ key: 'ec-p256' });
  const imported = await first.import('lean/sandbox', { 'cert.zip': zip, 'chain.zip': await partner.portal.chain() });
  if (imported.status !== 201) throw new Error(imported.text);
  await edit(join(first.home, 'keyturn.yaml'), (config) => ({
    ...config,
    leases: { default: '30s', maximum: '1h' },
  }));
  return first.grant('service:payments', 'service');
}

async function connectionOf({ homes: [home = ''], urls }: ReplicaSet): Promise<ConnectionFile> {
  const file = JSON.parse(await readFile(join(home, 'admin', 'connection.json'), 'utf8')) as ConnectionFile;
  return { ...file, servers: [...urls] };
}

/** Kills of servers in turn at random moments, and what happens to the database, until the time is over. */
async function trouble(
  { cluster }: ReplicaSet,
  servers: readonly SoakServer[],
  { seconds, killEverySeconds, random, told = () => {} }: SoakOptions,
): Promise<void> {
  const began = performance.now();
  const elapsed = () => (performance.now() - began) / 1000;
  const killing = (async () => {
    while (elapsed() < seconds) {
      await sleep(killEverySeconds * (0.5 + random()) * 1000);
      await servers[Math.floor(random() * servers.length)]?.kill();
    }
  })();
  for (const { at, what } of DATABASE) {
    await sleep(Math.max(0, seconds * at - elapsed()) * 1000);
    told(`${Math.round(elapsed())} s: the database, ${what}`);
    if (what === 'kill') {
      await cluster.kill();
      await cluster.start();
    } else {
      await cluster.restart();
    }
  }
  await killing;
}

/** Opens each server's own folder once more, as a start does, and looks at everything. */
async function afterwards(
  { homes }: ReplicaSet,
  servers: readonly SoakServer[],
  { leases, holds }: SoakCallers,
): Promise<{ entries: number; faults: string[] }> {
  const outside = servers.flatMap(({ checkpoints }) => checkpoints);
  const memory = {
    acknowledged: leases,
    entries: [] as string[],
    checkpoints: [...outside, ...leases.map(({ checkpoint }) => checkpoint)],
  };
  const faults: string[] = [];
  for (const [at, home] of homes.entries()) {
    const instance = await openInstance(await loadConfig(home), { ask: cannotAsk });
    try {
      const log = await readLog(instance.desk.ledger);
      faults.push(...(await examine(instance, log, memory)));
      // The last one: by then every journal was brought to the ledger.
      if (at === homes.length - 1) faults.push(...lostHolds(log, holds), ...(await verifyWhole(instance, log, memory)));
      memory.entries = log;
    } finally {
      await instance.close();
    }
  }
  return { entries: memory.entries.length, faults };
}

function lostHolds(log: readonly string[], holds: readonly string[]): string[] {
  const placed = new Map<string, number>();
  for (const json of log) {
    const { kind, data } = JSON.parse(json) as { kind: string; data: { hold?: string } };
    if (kind === 'hold.placed') placed.set(data.hold ?? '', (placed.get(data.hold ?? '') ?? 0) + 1);
  }
  return holds.flatMap((hold) => {
    const times = placed.get(hold) ?? 0;
    return times === 1 ? [] : [`the acknowledged ${hold} is on the log ${times} times`];
  });
}
