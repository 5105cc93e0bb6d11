import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { moveLedger } from '../../src/ledger/move/move.ts';
import type { PostgresPlace } from '../../src/ledger/postgres/connection/place.ts';
import { openPostgresLedger } from '../../src/ledger/postgres/open.ts';
import { TABLES } from '../../src/ledger/sql/columns.ts';
import { openSqliteLedger } from '../../src/ledger/sqlite/open.ts';
import { change, credential, hold, lease, store, version } from '../conformance/ledger-rows.ts';
import { PostgresCluster } from '../fakes/postgres/cluster.ts';
import { PostgresProxy } from '../fakes/postgres/proxy.ts';
import { folderWith } from '../fakes/programs.ts';
import { expectWhole } from './postgres/expect-whole.ts';
import { record } from './postgres/place.ts';
import { freshPlace } from './sqlite/place.ts';

let cluster: PostgresCluster;
let file: Awaited<ReturnType<typeof freshPlace>>;
let place: PostgresPlace;

beforeAll(async () => {
  cluster = await PostgresCluster.start();
});
afterAll(() => cluster[Symbol.asyncDispose]());
beforeEach(async () => {
  file = await freshPlace();
  place = await cluster.database();
  const ledger = await openSqliteLedger(file);
  await ledger.commit(
    change('version.imported', {
      writes: [
        { insert: 'credentials', row: credential('a') },
        { insert: 'versions', row: version('a', 1, { certificate: 'é"\\\n' }) },
        { insert: 'holds', row: hold('h1', { lifted_at: 5 }) },
        { insert: 'stores', row: store('file', 1) },
      ],
    }),
  );
  for (let at = 0; at < 3; at += 1) {
    await Promise.all(
      Array.from({ length: 500 }, (_, n) =>
        ledger.commit(
          change('lease.granted', {
            writes: [{ insert: 'leases', row: lease(`${at}-${n}`, { credential: 'a', version: 1 }) }],
          }),
        ),
      ),
    );
  }
  await ledger.close();
});
afterEach(() => file.remove());

async function all(ledger: Ledger) {
  const rows: unknown[] = [];
  for (const table of TABLES) {
    const [key = ''] = table === 'versions' || table === 'companions' ? ['credential'] : [];
    const found = await ledger.find(table, {}, { limit: 100_000, ...(key === '' ? {} : { orderBy: key as never }) });
    rows.push(found.map((row) => JSON.stringify(row)).sort());
  }
  return {
    rows,
    entries: await ledger.entries({ limit: 10_000 }),
    checkpoints: await ledger.checkpoints(-1, 10_000),
    head: await ledger.head(),
  };
}

test('a moved ledger has every row, entry and checkpoint, and its log goes on', async () => {
  const head = await moveLedger({ ...file, place });
  const [before, after] = [await openSqliteLedger(file), await openPostgresLedger({ ...file, place })];
  try {
    expect(await all(after)).toEqual(await all(before));
    expect(await after.head()).toEqual(head);
    await before.close();
    const outcome = await after.commit(change('a.change', { receipt: { seen: head.size } }));
    expect(outcome).toMatchObject({ committed: true, index: head.size });
    await expectWhole(after, file.verifier);
  } finally {
    await before.close();
    await after.close();
  }
});

test('an interrupted move leaves nothing, and one whose answer was lost is found done', async () => {
  await using proxy = await PostgresProxy.start(cluster.port);
  const through = { ...place, port: proxy.port };
  // The first commit makes the schema.
  await (await openPostgresLedger({ ...file, place })).close();
  const [commits, sizes] = [['before-commit', 'after-commit'] as const, [0, 1501]];
  for (const [at, point] of commits.entries()) {
    const cut = proxy.cutAtCommit(point, 2);
    await expect(moveLedger({ ...file, place: through })).rejects.toMatchObject({ code: 'ledger_unavailable' });
    await cut;
    const [row] = await cluster.sql('SELECT count(*)::int AS n FROM keyturn.entries', place.database);
    expect(row?.['n']).toBe(sizes[at]);
  }
  expect((await moveLedger({ ...file, place })).size).toBe(1501);
});

test('a database that holds another log is not touched', async () => {
  const { signer } = await freshPlace();
  const other = await openPostgresLedger({ signer, place });
  await record(other, 'of another log');
  await expect(moveLedger({ ...file, place })).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('holds a ledger already'),
    fix: expect.stringContaining('another database or schema'),
  });
  expect((await other.head()).size).toBe(1);
  await other.close();
});

test('a file that a server has open is not moved', async () => {
  const open = await openSqliteLedger(file);
  await expect(moveLedger({ ...file, place })).rejects.toMatchObject({ code: 'ledger_in_use' });
  await open.close();
});

test.each([
  ['holds', "NEW.reason := 'another'", 'table holds'],
  ['entries', "NEW.leaf := decode(repeat('00', 32), 'hex')", 'does not fit its leaf hash'],
])('a database that keeps something else of %s is found before anything is committed', async (table, how, what) => {
  const empty = await openPostgresLedger({ ...file, place });
  await empty.close();
  await cluster.sql(
    `CREATE FUNCTION keyturn.meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${how}; RETURN NEW; END $$;
     CREATE TRIGGER meddle BEFORE INSERT ON keyturn.${table} FOR EACH ROW EXECUTE FUNCTION keyturn.meddle()`,
    place.database,
  );
  const refused = { code: 'ledger_corrupt', message: expect.stringContaining(what) };
  await expect(moveLedger({ ...file, place })).rejects.toMatchObject(refused);
  expect(await cluster.sql('SELECT 1 FROM keyturn.entries', place.database)).toEqual([]);
});

test('a refused database is told by the right that is missing, and no connection to it is left open', async () => {
  await cluster.sql("CREATE ROLE may_connect LOGIN PASSWORD 'weak'");
  const folder = await folderWith({ password: 'weak' });
  try {
    const weak = { ...place, user: 'may_connect', passwordFile: folder.path('password') };
    await expect(moveLedger({ ...file, place: weak })).rejects.toMatchObject({
      code: 'ledger_unavailable',
      message: expect.stringContaining('may_connect may not make a schema in'),
      fix: `GRANT CREATE ON DATABASE "${place.database}" TO "may_connect";`,
    });
    const open = "SELECT pid FROM pg_stat_activity WHERE usename = 'may_connect'";
    await expect.poll(() => cluster.sql(open), { timeout: 2_000 }).toEqual([]);
  } finally {
    await folder[Symbol.asyncDispose]();
  }
});
