import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { verifyReceipt } from '../../../src/audit/receipt.ts';
import type { Change, Check } from '../../../src/ledger/change.ts';
import type { Ledger } from '../../../src/ledger/ledger.ts';
import { change, credential, hold, lease, version } from '../../conformance/ledger-rows.ts';
import { PostgresCluster } from '../../fakes/postgres/cluster.ts';
import { PostgresProxy } from '../../fakes/postgres/proxy.ts';
import { expectWhole } from './expect-whole.ts';
import { record, recorded, replicasOf } from './place.ts';

const ROUNDS = 200;
/** For a machine that is busy. */
const PATIENT = { timeout: 15_000 };

let cluster: PostgresCluster;
let replicas: ReturnType<typeof replicasOf>;
let one: Ledger;
let other: Ledger;

beforeAll(async () => {
  cluster = await PostgresCluster.start();
});
afterAll(() => cluster[Symbol.asyncDispose]());
beforeEach(async () => {
  replicas = replicasOf(await cluster.database());
  [one, other] = await Promise.all([replicas.open(), replicas.open()]);
});
afterEach(() => replicas.close());

describe('two replicas of one log', () => {
  test('that start together and race one another make one sequence and one tree', async () => {
    const count = 300;
    const all = [one, other].flatMap((ledger, replica) =>
      Array.from({ length: count }, async (_, n) => {
        const name = `${replica}-${n}`;
        return { name, outcome: await record(ledger, name) };
      }),
    );
    const names = await Promise.all(all).then((done) =>
      done.map(({ name, outcome }) => [outcome.index, name] as const),
    );
    const onLog = await recorded(one);
    expect(onLog).toHaveLength(2 * count);
    for (const [index, name] of names) expect(onLog[index ?? -1]).toBe(name);
    await expectWhole(other, replicas.verifier);
  });

  test('give receipts in turn that all continue one another', async () => {
    let seen = null;
    for (let n = 0; n < 20; n += 1) {
      const ledger = n % 2 === 0 ? one : other;
      const outcome = await ledger.commit(change('a.change', { receipt: { seen: seen?.size ?? 0 } }));
      if (!outcome.committed || outcome.receipt === null) throw new Error('no receipt');
      seen = verifyReceipt(outcome.receipt, replicas.verifier, seen);
      expect(seen.index).toBe(n);
    }
    expect(await one.head()).toEqual(await other.head());
  });

  test('see one another’s rows in their checks', async () => {
    const placed = (ledger: Ledger, id: string) =>
      ledger.commit(
        change('hold.placed', {
          checks: [{ rule: 'hold-unknown', table: 'holds', none: { subject: 'one' } }],
          writes: [{ insert: 'holds', row: hold(id, { subject: 'one' }) }],
        }),
      );
    const outcomes = await Promise.all(
      Array.from({ length: 60 }, (_, n) => placed(n % 2 === 0 ? one : other, `h${n}`)),
    );
    expect(outcomes.filter(({ committed }) => committed)).toHaveLength(1);
  });

  test('read entry times off one clock, that of the database', async () => {
    const [row] = await cluster.sql('SELECT floor(extract(epoch FROM clock_timestamp()) * 1000) AS now');
    await record(one, 'a');
    await record(other, 'b');
    const [first, second] = (await one.entries({})).map(({ json }) => Date.parse(JSON.parse(json).time));
    expect(first).toBeGreaterThanOrEqual(Number(row?.['now']));
    expect(second).toBeGreaterThanOrEqual(first ?? Number.NaN);
  });

  test('a step of the clock behind the log is one entry, whichever replica sees it', async () => {
    const clock = { now: () => 1000, monotonic: () => 0 };
    const early = await replicas.open({ clock });
    const earlier = await replicas.open({ clock });
    await record(one, 'now');
    for (const ledger of [early, earlier, early]) await record(ledger, 'then');
    const entries = (await one.entries({})).map(({ json }) => JSON.parse(json));
    const kinds = entries.map(({ kind }) => kind);
    const times = entries.map(({ time }) => Date.parse(time));
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(kinds).toEqual(['a.change', 'clock.stepped-back', 'a.change', 'a.change', 'a.change']);
  });
});

describe('what one replica commits', () => {
  const heardBy = (ledger: Ledger) => {
    const ranges: { from: number; to: number }[] = [];
    ledger.follow(0, (range) => ranges.push(range));
    return () => ranges.at(-1)?.to ?? 0;
  };

  test('is heard of by the other, in order and without a gap', async () => {
    const heard: number[] = [];
    other.follow(0, ({ from, to }) => {
      for (let index = from; index < to; index += 1) heard.push(index);
    });
    await Promise.all(Array.from({ length: 40 }, (_, n) => record(n % 4 === 0 ? other : one, `${n}`)));
    await expect.poll(() => heard.length, PATIENT).toBe(40);
    expect(heard).toEqual(Array.from({ length: 40 }, (_, n) => n));
    expect(other.status().size).toBe(40);
  });

  test('is heard of at once, not only when the other looks', async () => {
    const heard = heardBy(other);
    const delays: number[] = [];
    // Each begins right after a look, the next of which is two seconds away.
    for (let n = 1; n <= 4; n += 1) {
      const started = performance.now();
      await record(one, `${n}`);
      await expect.poll(heard, { ...PATIENT, interval: 10 }).toBe(n);
      delays.push(performance.now() - started);
    }
    expect(Math.min(...delays.slice(1))).toBeLessThan(1000);
  });

  test('is heard of also after the notification was lost, with its connection', async () => {
    await using proxy = await PostgresProxy.start(cluster.port);
    const behind = await replicas.open({ port: proxy.port });
    const heard = heardBy(behind);
    await record(one, 'first');
    await expect.poll(heard, PATIENT).toBe(1);
    proxy.refuse(true);
    proxy.cutAll();
    await record(one, 'unheard');
    proxy.refuse(false);
    await expect.poll(heard, PATIENT).toBe(2);
  });

  test('is heard of also after the connection went silent, with nobody to say so', async () => {
    await using proxy = await PostgresProxy.start(cluster.port);
    const behind = await replicas.open({ port: proxy.port, patienceMs: 2000 });
    const heard = heardBy(behind);
    await record(one, 'first');
    await expect.poll(heard, PATIENT).toBe(1);
    proxy.silence(true);
    await record(one, 'unheard');
    // It looks every two seconds, whether or not it was told.
    await pause(3000);
    proxy.silence(false);
    await expect.poll(heard, PATIENT).toBe(2);
  });

  test('is not made up by a notification of somebody else', async () => {
    const heard = heardBy(other);
    const { database } = replicas.place;
    await cluster.sql("SELECT pg_notify('keyturn_keyturn', '1000')", database);
    await record(one, 'first');
    await expect.poll(heard, PATIENT).toBe(1);
  });
});

describe('a fence between replicas', () => {
  test('keeps the other out, and lets it in when its holder is gone; what that one commits then fails', async () => {
    await using proxy = await PostgresProxy.start(cluster.port);
    const holder = await replicas.open({ port: proxy.port });
    const entered = Promise.withResolvers<readonly Check[]>();
    const leave = Promise.withResolvers<void>();
    const inside = holder.withFence(['chores'], 'wait', async ({ checks }) => {
      entered.resolve(checks);
      await leave.promise;
    });
    const checks = await entered.promise;
    expect(await other.withFence(['chores'], 'try', async () => 1)).toEqual({ ran: false });
    expect(await holder.commit(change('a.change', { checks }))).toMatchObject({ committed: true });
    proxy.cutAll();
    expect(await other.withFence(['chores'], 'wait', async () => 2)).toEqual({ ran: true, value: 2 });
    expect(await holder.commit(change('a.change', { checks }))).toMatchObject({ committed: false, rule: 'fenced-off' });
    leave.resolve();
    await inside;
  });
});

test('a fence is left also when its connection went silent', async () => {
  await using proxy = await PostgresProxy.start(cluster.port);
  const holder = await replicas.open({ port: proxy.port });
  const work = async () => {
    proxy.silence(true);
    return 'done';
  };
  expect(await holder.withFence(['chores'], 'wait', work)).toEqual({ ran: true, value: 'done' });
});

const notHeld: Check = { rule: 'hold-on-version', table: 'holds', none: { subject: 'a@1', lifted_at: null } };

/** What `granted` leaves on the log after the freeze of its round: must be nothing. */
async function leasesAfterFreezes(granted: (id: string) => Promise<unknown>): Promise<string[]> {
  await one.commit(
    change('version.imported', {
      writes: [
        { insert: 'credentials', row: credential('a') },
        { insert: 'versions', row: version('a', 1) },
      ],
    }),
  );
  for (let round = 0; round < ROUNDS; round += 1) {
    const row = hold(`hold-${round}`, { target: 'version', subject: 'a@1' });
    const freeze = other.commit({
      writes: [{ insert: 'holds', row }],
      entry: { kind: 'hold.placed', actor: 'person:alice', data: { round } },
    });
    await Promise.all([freeze, ...Array.from({ length: 4 }, (_, n) => granted(`${round}-${n}`))]);
    await other.commit(
      change('hold.lifted', { writes: [{ update: 'holds', where: { id: row.id }, set: { lifted_at: 1 }, rows: 1 }] }),
    );
  }
  return leaseEntriesInForce();
}

/** From the log alone, as an auditor reads it. */
async function leaseEntriesInForce(): Promise<string[]> {
  const entries = await one.entries({ limit: 10_000 });
  let frozen = false;
  const found: string[] = [];
  for (const { json } of entries) {
    const { kind, data } = JSON.parse(json);
    if (kind === 'hold.placed') frozen = true;
    if (kind === 'hold.lifted') frozen = false;
    if (kind === 'lease.granted' && frozen) found.push(data.lease);
  }
  return found;
}

function grant(id: string, checks: readonly Check[]): Change {
  return {
    checks,
    writes: [{ insert: 'leases', row: lease(id, { credential: 'a', version: 1 }) }],
    entry: { kind: 'lease.granted', actor: 'service:payments', data: { lease: id } },
  };
}

describe('a lease on one replica that races a freeze on the other', () => {
  test('never follows the freeze on the log', { timeout: 120_000 }, async () => {
    expect(await leasesAfterFreezes((id) => one.commit(grant(id, [notHeld])))).toEqual([]);
    const leases = await one.entries({ kind: 'lease.granted', limit: 10_000 });
    expect(leases.length).toBeGreaterThan(0);
    expect(leases.length).toBeLessThan(4 * ROUNDS);
  });

  test('would follow it if the check were made outside of the commit', { timeout: 120_000 }, async () => {
    const found = await leasesAfterFreezes(async (id) => {
      const held = await one.find('holds', { subject: 'a@1', lifted_at: null });
      if (held.length === 0) await one.commit(grant(id, []));
    });
    expect(found.length).toBeGreaterThan(0);
  });
});
