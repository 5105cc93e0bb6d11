import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { LogVerifier } from '../../../src/audit/checkpoint.ts';
import { change, hold } from '../../conformance/ledger-rows.ts';
import { PostgresCluster } from '../../fakes/postgres/cluster.ts';
import { type CutPoint, PostgresProxy } from '../../fakes/postgres/proxy.ts';
import { expectWhole } from './expect-whole.ts';
import { record, recorded, replicasOf } from './place.ts';

/** For a machine that is busy. */
const PATIENT = { timeout: 15_000 };

let cluster: PostgresCluster;
let proxy: PostgresProxy;
let replicas: ReturnType<typeof replicasOf>;
let verifier: LogVerifier;

beforeAll(async () => {
  cluster = await PostgresCluster.start();
});
afterAll(() => cluster[Symbol.asyncDispose]());
beforeEach(async () => {
  proxy = await PostgresProxy.start(cluster.port);
  replicas = replicasOf(await cluster.database());
  verifier = replicas.verifier;
});
afterEach(async () => {
  await replicas.close();
  await proxy[Symbol.asyncDispose]();
});

const place = (id: string) =>
  change('hold.placed', { writes: [{ insert: 'holds', row: hold(id) }], receipt: { seen: 0 } });

describe('a connection that is lost', () => {
  test.each<CutPoint>(['before-commit', 'after-commit'])('%s costs nothing: the change is made once', async (point) => {
    const ledger = await replicas.open({ port: proxy.port });
    await record(ledger, 'first');
    const cut = proxy.cut(point);
    const outcomes = await Promise.all(['h1', 'h2', 'h3'].map((id) => ledger.commit(place(id))));
    await cut;
    expect(outcomes).toMatchObject([1, 2, 3].map((index) => ({ committed: true, index, receipt: { index } })));
    expect((await ledger.find('holds', {}, { orderBy: 'id' })).map(({ id }) => id)).toEqual(['h1', 'h2', 'h3']);
    await record(ledger, 'last');
    expect((await ledger.head()).size).toBe(5);
    await expectWhole(ledger, verifier);
  });

  test('after the commit, and then to a database that is down for a while, is answered when it is up again', async () => {
    const ledger = await replicas.open({ port: proxy.port });
    await record(ledger, 'first');
    const cut = proxy.cut('after-commit', 'refuse');
    const outcome = ledger.commit(place('h1'));
    await cut;
    await cluster.restart();
    proxy.refuse(false);
    expect(await outcome).toMatchObject({ committed: true, index: 1 });
    expect((await ledger.head()).size).toBe(2);
  });

  test('right behind its answer, by a database that restarts, costs a reader nothing', async () => {
    const ledger = await replicas.open({ port: proxy.port });
    await ledger.commit(place('h1'));
    expect(await ledger.find('holds', {})).toHaveLength(1);
    proxy.dismiss(true);
    expect(await ledger.find('holds', {})).toHaveLength(1);
    proxy.dismiss(false);
    expect(await ledger.find('holds', {})).toHaveLength(1);
    expect(await record(ledger, 'after')).toMatchObject({ index: 1 });
  });

  test('for longer than patience lasts: the change is open, nothing is answered, and then all goes on', async () => {
    const states: string[] = [];
    const ledger = await replicas.open({
      port: proxy.port,
      patienceMs: 1000,
      onStatus: ({ state }) => states.push(state),
    });
    await record(ledger, 'first');
    const cut = proxy.cut('after-commit', 'refuse');
    const open = ledger.commit(place('h1'));
    await cut;
    await expect(open).rejects.toMatchObject({ code: 'ledger_unavailable', facts: { state: 'stalled' } });
    expect(ledger.status()).toMatchObject({
      state: 'stalled',
      detail: expect.stringContaining('a commit was not durable'),
    });
    await expect(record(ledger, 'meanwhile')).rejects.toMatchObject({ code: 'ledger_unavailable' });
    await expect(ledger.find('holds', {})).rejects.toMatchObject({ code: 'ledger_unavailable' });
    proxy.refuse(false);
    await expect.poll(() => ledger.status(), PATIENT).toMatchObject({ state: 'ready', detail: '', size: 2 });
    expect(states).toEqual(['stalled', 'ready']);
    expect(await ledger.find('holds', {})).toHaveLength(1);
    expect(await record(ledger, 'after')).toMatchObject({ index: 2 });
    await expectWhole(ledger, verifier);
  });

  test('before the commit, for longer than patience lasts: the change is not made behind its caller’s back', async () => {
    const ledger = await replicas.open({ port: proxy.port, patienceMs: 1000 });
    await record(ledger, 'first');
    const cut = proxy.cut('before-commit', 'refuse');
    const open = ledger.commit(place('h1'));
    await cut;
    await expect(open).rejects.toMatchObject({ code: 'ledger_unavailable' });
    proxy.refuse(false);
    await expect.poll(() => ledger.status().state, PATIENT).toBe('ready');
    expect(await ledger.find('holds', {})).toEqual([]);
    expect(await record(ledger, 'after')).toMatchObject({ index: 1 });
  });

  test('without a word: it is given up, and the change made over another one', async () => {
    const ledger = await replicas.open({ port: proxy.port, patienceMs: 10000 });
    await record(ledger, 'first');
    proxy.silence(true);
    const outcome = ledger.commit(place('h1'));
    await expect.poll(() => ledger.status().pending, PATIENT).toBe(1);
    const { promise, resolve } = Promise.withResolvers<void>();
    proxy.onLost(resolve);
    await promise;
    proxy.silence(false);
    expect(await outcome).toMatchObject({ committed: true, index: 1 });
  });

  test('while nobody commits is noticed, so that readiness tells the truth', async () => {
    const ledger = await replicas.open({ port: proxy.port, patienceMs: 1000 });
    await record(ledger, 'first');
    proxy.refuse(true);
    proxy.cutAll();
    await expect.poll(() => ledger.status().state, PATIENT).toBe('stalled');
    proxy.refuse(false);
    await expect.poll(() => ledger.status().state, PATIENT).toBe('ready');
  });

  test('while the ledger hangs it can be closed', async () => {
    const ledger = await replicas.open({ port: proxy.port, patienceMs: 1000 });
    proxy.refuse(true);
    proxy.cutAll();
    await expect.poll(() => ledger.status().state, PATIENT).toBe('stalled');
    await ledger.close();
    expect(ledger.status().state).toBe('closed');
  });
});

describe('a database that ends under load', () => {
  test.each(['restart', 'kill'] as const)(
    'by %s loses nothing that was answered and doubles nothing',
    async (how) => {
      const ledgers = await Promise.all([replicas.open({ patienceMs: 30_000 }), replicas.open({ patienceMs: 30_000 })]);
      const answered = new Map<string, number>();
      let stop = false;
      const writers = ledgers.flatMap((ledger, replica) =>
        Array.from({ length: 8 }, async (_, writer) => {
          for (let n = 0; !stop; n += 1) {
            const name = `${replica}-${writer}-${n}`;
            const outcome = await record(ledger, name);
            answered.set(name, outcome.index ?? -1);
          }
        }),
      );
      for (let round = 1; round <= 2; round += 1) {
        const before = answered.size;
        await expect.poll(() => answered.size, PATIENT).toBeGreaterThan(before + 50);
        if (how === 'restart') await cluster.restart();
        else {
          await cluster.kill();
          await cluster.start();
        }
      }
      stop = true;
      await Promise.all(writers);
      const names = await recorded(ledgers[0]);
      expect(new Set(names).size).toBe(names.length);
      for (const [name, index] of answered) expect(names[index]).toBe(name);
      expect(names).toHaveLength(answered.size);
      await expectWhole(ledgers[1], verifier);
    },
    90_000,
  );
});

test('a check that the database can’t ask refuses its change, alone among its neighbours', async () => {
  const ledger = await replicas.open();
  const odd = { rule: 'odd', table: 'stores', some: { generation: 'odd' as unknown as number } } as const;
  const changes = [record(ledger, 'first'), ledger.commit(change('odd', { checks: [odd] })), record(ledger, 'last')];
  const [first, refused, last] = await Promise.allSettled(changes);
  expect(refused).toMatchObject({ status: 'rejected', reason: { code: 'internal' } });
  expect([first, last]).toMatchObject([{ value: { index: 0 } }, { value: { index: 1 } }]);
});

test('a head that something else moves in the middle of a commit ends the ledger, and the commit is not made', async () => {
  const ledger = await replicas.open();
  await record(ledger, 'first');
  const { database } = replicas.place;
  await cluster.sql(
    `CREATE FUNCTION keyturn.meddle() RETURNS trigger LANGUAGE plpgsql AS
       'BEGIN UPDATE keyturn.head SET size = size + 1; RETURN NEW; END';
     CREATE TRIGGER meddle BEFORE INSERT ON keyturn.holds FOR EACH ROW EXECUTE FUNCTION keyturn.meddle()`,
    database,
  );
  await expect(ledger.commit(place('h1'))).rejects.toMatchObject({ facts: { state: 'failed' } });
  expect(ledger.status().detail).toContain('not at 1 any more');
  expect(await cluster.sql('SELECT size FROM keyturn.head', database)).toEqual([{ size: '1' }]);
});

/** As a failover to a standby that had not the third entry. */
async function goBackToTwo(): Promise<void> {
  await cluster.sql(
    `SET search_path = keyturn; DELETE FROM entries WHERE idx = 2; DELETE FROM checkpoints WHERE size = 3;
     UPDATE head SET size = 2, frontier = (SELECT hash FROM tree_nodes WHERE level = 1 AND idx = 0)`,
    replicas.place.database,
  );
}

test('a log that went back and then on another way, by our own key, ends a replica that knows the first way', async () => {
  const ledger = await replicas.open();
  for (const name of ['a', 'b', 'c']) await record(ledger, name);
  await goBackToTwo();
  const other = await replicas.open();
  for (const name of ['x', 'y']) await record(other, name);
  await expect(record(ledger, 'd')).rejects.toMatchObject({ facts: { state: 'failed' } });
  expect(ledger.status().detail).toContain('do not continue the 3 known here');
  expect(await recorded(other)).toEqual(['a', 'b', 'x', 'y']);
});

test('a database that went back in time ends every replica that knows more or has heard of more, for good', async () => {
  const [ledger, listener] = await Promise.all([replicas.open(), replicas.open()]);
  for (const name of ['a', 'b', 'c']) await record(ledger, name);
  await expect.poll(() => listener.status().size, PATIENT).toBe(3);
  await goBackToTwo();
  for (const known of [listener, ledger]) {
    const failed = { code: 'ledger_unavailable', facts: { state: 'failed' } };
    await expect(record(known, 'd')).rejects.toMatchObject(failed);
    expect(known.status().detail).toContain('went back');
  }
});
