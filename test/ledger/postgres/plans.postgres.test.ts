import { afterAll, beforeAll, expect, test } from 'vitest';
import { clientConfig } from '../../../src/ledger/postgres/connection/client-config.ts';
import type { PostgresPlace } from '../../../src/ledger/postgres/connection/place.ts';
import { Session } from '../../../src/ledger/postgres/connection/session.ts';
import { openPostgresLedger } from '../../../src/ledger/postgres/open.ts';
import { entriesStatement } from '../../../src/ledger/sql/log.ts';
import { dollarNumber } from '../../../src/ledger/sql/statement.ts';
import { PostgresCluster } from '../../fakes/postgres/cluster.ts';
import { freshSigner } from './harness.ts';

const ENTRIES = 40_000;
/** All of its entries lie at the beginning of the log, and it is not rare. */
const OLD = ENTRIES / 10;

let cluster: PostgresCluster;
let session: Session;

beforeAll(async () => {
  cluster = await PostgresCluster.start();
  const place: PostgresPlace = await cluster.database();
  await (await openPostgresLedger({ place, ...freshSigner() })).close();
  session = await Session.open(clientConfig(place, { statement_timeout: 60_000 }, 10_000));
  await session.run({
    sql: `INSERT INTO entries (idx, time, kind, actor, credential, json, leaf)
      SELECT n, n, CASE WHEN n < $1 THEN 'old.kind' ELSE 'new.kind' END, 'actor-' || (n % 3), 'c/' || (n % 5000),
        repeat('x', 400), decode(repeat('00', 32), 'hex') FROM generate_series(0, $2::int - 1) AS n`,
    values: [OLD, ENTRIES],
  });
  await session.run({ sql: 'ANALYZE entries' });
});
afterAll(async () => {
  await session.end();
  await cluster[Symbol.asyncDispose]();
});

/** What is really done for it: the index, and how many rows are thrown away. */
async function done(query: object): Promise<{ index: string; removed: number; rows: number }> {
  const { sql, values } = entriesStatement({ limit: 100, ...query }, dollarNumber, 'led');
  const { rows } = await session.run({ sql: `EXPLAIN (ANALYZE, FORMAT JSON) ${sql}`, values });
  const text = JSON.stringify(rows);
  return {
    index: [...text.matchAll(/"Index Name":"(\w+)"/g)].map(([, name]) => name).join(' '),
    removed: Math.max(0, ...[...text.matchAll(/"Rows Removed by Filter":(\d+)/g)].map(([, n]) => Number(n))),
    rows: Number(/"Actual Rows":(\d+)/.exec(text)?.[1]),
  };
}

test.each([
  ['newest of an old kind', { kind: 'old.kind', descending: true }, 'entries_kind'],
  ['newest of the usual kind', { kind: 'new.kind', descending: true }, 'entries_kind'],
  ['from the end of a kind', { kind: 'new.kind', from: ENTRIES - 200 }, 'entries_kind'],
  ['since a time', { kind: 'new.kind', since: ENTRIES - 200 }, 'entries_time entries_kind'],
  ['of an actor', { actor: 'actor-1', from: ENTRIES - 1000 }, 'entries_actor'],
])('entries %s are found by the index, and hardly any other is read', async (_, query, index) => {
  expect(await done(query)).toEqual({ index, removed: 0, rows: 100 });
});

test('entries of a credential are found by its index', async () => {
  expect(await done({ credential: 'c/7', descending: true })).toMatchObject({ index: 'entries_credential', rows: 8 });
});
