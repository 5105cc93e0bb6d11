import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { PostgresCluster } from '../../fakes/postgres/cluster.ts';
import { PostgresProxy } from '../../fakes/postgres/proxy.ts';
import { expectWhole } from './expect-whole.ts';
import { record, recorded, replicasOf } from './place.ts';

/** For a machine that is busy. */
const PATIENT = { timeout: 15_000 };

let primary: PostgresCluster;
let standby: PostgresCluster;
let proxy: PostgresProxy;
let replicas: ReturnType<typeof replicasOf>;

beforeAll(async () => {
  primary = await PostgresCluster.start();
  standby = await PostgresCluster.start({ standbyOf: primary, settings: { cluster_name: 'second' } });
  await primary.sql("ALTER SYSTEM SET synchronous_standby_names = 'second'");
  await primary.sql('SELECT pg_reload_conf()');
  const isSynchronous = async () =>
    (await primary.sql('SELECT sync_state FROM pg_stat_replication'))[0]?.['sync_state'];
  while ((await isSynchronous()) !== 'sync') await pause(50);
});
afterAll(async () => {
  await standby[Symbol.asyncDispose]();
  await primary[Symbol.asyncDispose]();
});
beforeEach(async () => {
  proxy = await PostgresProxy.start(primary.port);
  replicas = replicasOf(await primary.database(proxy.port));
});
afterEach(async () => {
  await replicas.close();
  await proxy[Symbol.asyncDispose]();
});

/** How many commits wait for the standby; and ends their wait. */
async function waitingForStandby(cancel = false): Promise<number> {
  const what = cancel ? 'pg_cancel_backend(pid)' : 'pid';
  return (await primary.sql(`SELECT ${what} FROM pg_stat_activity WHERE wait_event = 'SyncRep'`)).length;
}

test('nothing is answered that the synchronous standby has not, also after the primary restarts without it', async () => {
  const states: string[] = [];
  const ledger = await replicas.open({ patienceMs: 3000, onStatus: ({ state }) => states.push(state) });
  await record(ledger, 'with');
  await standby.stop();
  const without = record(ledger, 'without');
  await expect.poll(() => waitingForStandby(), PATIENT).toBe(1);
  // It ends the wait: what was committed on this side alone is there and visible afterwards.
  await primary.restart();
  await expect(without).rejects.toMatchObject({ facts: { state: 'stalled' } });
  await pause(1500);
  expect(states).toEqual(['stalled']);
  await standby.start();
  await expect.poll(() => ledger.status().state, PATIENT).toBe('ready');
  await record(ledger, 'again');
  expect(await recorded(ledger)).toEqual(['with', 'without', 'again']);
});

test('nothing is answered of which a person has cancelled the wait for the standby', async () => {
  const ledger = await replicas.open();
  await record(ledger, 'with');
  await standby.stop();
  const states: string[] = [];
  const outcome = record(ledger, 'one').then(() => states.push('answered'));
  await expect.poll(() => waitingForStandby(true), PATIENT).toBe(1);
  await pause(500);
  await standby.start();
  states.push('standby');
  await outcome;
  expect(states).toEqual(['standby', 'answered']);
});

test('a failover under load, from a primary that died to its standby, loses nothing and doubles nothing', async () => {
  const ledgers = await Promise.all([1, 2].map(() => replicas.open({ patienceMs: 30_000 })));
  const answered = new Map<string, number>();
  let stop = false;
  const writers = ledgers.flatMap((ledger, replica) =>
    Array.from({ length: 4 }, async (_, writer) => {
      for (let n = 0; !stop; n += 1) {
        const name = `${replica}-${writer}-${n}`;
        answered.set(name, (await record(ledger, name)).index ?? -1);
      }
    }),
  );
  await expect.poll(() => answered.size, PATIENT).toBeGreaterThan(50);
  await primary.kill();
  const before = answered.size;
  await standby.sql('SELECT pg_promote()');
  proxy.lead(standby.port);
  await expect.poll(() => answered.size, PATIENT).toBeGreaterThan(before + 50);
  stop = true;
  await Promise.all(writers);
  const names = await recorded(ledgers[0]!);
  for (const [name, index] of answered) expect(names[index]).toBe(name);
  expect(names).toHaveLength(answered.size);
  await expectWhole(ledgers[1]!, replicas.verifier);
});
