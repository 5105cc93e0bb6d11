import type { KeyObject } from 'node:crypto';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { packFrontier, unpackFrontier } from '../../src/ledger/log/frontier.ts';
import { MoveTarget } from '../../src/ledger/move/target.ts';
import { clientConfig } from '../../src/ledger/postgres/connection/client-config.ts';
import type { PostgresPlace } from '../../src/ledger/postgres/connection/place.ts';
import { Session } from '../../src/ledger/postgres/connection/session.ts';
import { logEnd } from '../../src/ledger/postgres/database/check-log.ts';
import { columnsOf } from '../../src/ledger/sql/columns.ts';

import { type Batch, generate, type Size } from './generate.ts';

type Signer = { readonly origin: string; readonly privateKey: KeyObject };
const TABLES = ['credentials', 'versions', 'leases'] as const;
/** Batches that are written together. */
const TOGETHER = 16;

/** Writes the rows of a log of this size into a ledger's file that nobody has open, without syncs. */
export function fillFile(path: string, size: Size, signer: Signer): void {
  const database = new DatabaseSync(path);
  database.exec('PRAGMA synchronous = OFF; PRAGMA cache_size = -200000');
  const insert = (table: string, columns: readonly string[]) => {
    const statement = database.prepare(
      `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`,
    );
    return (...values: SQLInputValue[]) => statement.run(...values);
  };
  const rows = Object.fromEntries(TABLES.map((table) => [table, insert(table, columnsOf(table))]));
  const entry = insert('entries', ['idx', 'time', 'kind', 'actor', 'credential', 'json', 'leaf']);
  const node = insert('tree_nodes', ['level', 'idx', 'hash']);
  const checkpoint = insert('checkpoints', ['size', 'note']);
  const head = database.prepare('SELECT size, frontier, time FROM head').get() ?? {};
  const frontier = unpackFrontier(Number(head['size']), head['frontier'] as Uint8Array);
  const end = { frontier, time: Number(head['time']), behind: false };
  for (const some of inGroups(generate(end, size, signer))) {
    database.exec('BEGIN');
    for (const batch of some) {
      for (const table of TABLES) {
        for (const row of batch[table]) {
          rows[table]?.(...columnsOf(table).map((column) => cellOf(row, column)));
        }
      }
      for (const {
        entry: { index, kind, actor, credential },
        json,
        leafHash,
      } of batch.tail.entries) {
        entry(index, batch.tail.time, kind, actor, credential ?? null, json, leafHash);
      }
      for (const { level, index, hash } of batch.tail.nodes) if (level > 0) node(level, index, hash);
      checkpoint(batch.head.size, batch.head.checkpoint);
    }
    const last = some.at(-1)?.tail.end();
    if (last !== undefined) {
      database
        .prepare('UPDATE head SET size = ?, frontier = ?, time = ?')
        .run(last.frontier.size, packFrontier(last.frontier), last.time);
    }
    database.exec('COMMIT');
  }
  database.exec('PRAGMA wal_checkpoint(TRUNCATE); ANALYZE');
  database.close();
}

/** The same into a schema of PostgreSQL that no server has open, in one transaction. */
export async function fillDatabase(place: PostgresPlace, size: Size, signer: Signer): Promise<void> {
  const session = await Session.open(clientConfig(place, { statement_timeout: 600_000 }, 10_000));
  const target = new MoveTarget(session);
  await session.run({ sql: 'BEGIN' });
  const { rows } = await session.run({ sql: 'SELECT size, frontier, time, behind FROM head FOR UPDATE' });
  let end = logEnd(rows[0]);
  for (const some of inGroups(generate(end, size, signer))) {
    for (const table of TABLES) {
      const added = some.flatMap((batch) => batch[table] as readonly object[]).map((row) => ({ ...row }));
      if (added.length > 0) await target.addRows(table, added);
    }
    const entries = some.flatMap(({ tail }) =>
      tail.entries.map(({ entry, json, leafHash }) => ({
        index: entry.index,
        json,
        leafHash: leafHash.toString('base64'),
      })),
    );
    const nodes = some.flatMap(({ tail }) => tail.nodes.filter(({ level }) => level > 0));
    await target.addLog({ entries, nodes, frontier: end.frontier });
    await target.addCheckpoints(some.map(({ head }) => head));
    end = some.at(-1)?.tail.end() ?? end;
  }
  await session.run({ sql: 'DELETE FROM head' });
  await target.setHead(end.frontier);
  await session.run({ sql: 'COMMIT' });
  await session.run({ sql: 'ANALYZE' });
  await session.end();
}

function* inGroups(batches: Iterable<Batch>): Generator<Batch[]> {
  let group: Batch[] = [];
  for (const batch of batches) {
    group.push(batch);
    if (group.length < TOGETHER) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

function cellOf(row: object, column: string): SQLInputValue {
  return (row as Readonly<Record<string, SQLInputValue>>)[column] ?? null;
}
