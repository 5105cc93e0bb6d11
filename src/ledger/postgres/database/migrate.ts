import { randomUUID } from 'node:crypto';
import type { CompiledQuery } from 'kysely';
import type { LogSigner } from '../../../audit/checkpoint.ts';
import { EMPTY_ROOT } from '../../../audit/merkle.ts';
import { KeyturnError } from '../../../core/errors.ts';
import type { Session } from '../connection/session.ts';
import { authoritiesSchema } from './authorities-schema.ts';
import { type Builder, build, compiled } from './builder.ts';
import { firstSchema } from './first-schema.ts';
import { lockKey } from './lock-key.ts';
import { movesSchema } from './moves-schema.ts';
import { decisionsSchema, rotationsSchema } from './rotations-schema.ts';

export interface Migration {
  /** A program that knows only the migrations before it goes on beside one that knows it. */
  readonly compatible: boolean;
  readonly statements: (db: Builder) => readonly { compile(): CompiledQuery }[];
}

/**
 * Numbered from 1: the place in the list. One that has been released is never edited; a change is a new one at the end.
 */
export const MIGRATIONS: readonly Migration[] = [
  { compatible: false, statements: firstSchema },
  { compatible: true, statements: movesSchema },
  // An older program takes no fences, and asks for none.
  {
    compatible: true,
    statements: (db) => [
      db.schema
        .createTable('fences')
        .addColumn('name', 'text', (column) => column.primaryKey())
        .addColumn('number', 'bigint', (column) => column.notNull()),
    ],
  },
  { compatible: true, statements: rotationsSchema },
  // An older program has no authority of its own, and looks at none.
  { compatible: true, statements: authoritiesSchema },
  // What ends soonest is asked for at every scrape of the metrics, and how many there are of each state.
  {
    compatible: true,
    statements: (db) => [
      db.schema.createIndex('versions_ending').on('versions').columns(['state', 'not_after']),
      db.schema.dropIndex('versions_by_state'),
      db.schema.createIndex('versions_store').on('versions').columns(['store', 'credential']),
      db.schema.createIndex('companions_store').on('companions').columns(['store', 'credential']),
      db.schema.createIndex('leases_live').on('leases').columns(['credential', 'state', 'expires_at']),
      db.schema.dropIndex('leases_version'),
    ],
  },
  // What an older program writes of a lease has neither, as a client that has not said anything.
  {
    compatible: true,
    statements: (db) => [
      db.schema.alterTable('leases').addColumn('replaced_by', 'text'),
      db.schema.alterTable('leases').addColumn('in_use', 'text'),
    ],
  },
  // An older program lists such tasks as any other, and opens none.
  { compatible: true, statements: decisionsSchema },
];

/**
 * Brings the schema to the newest migration and begins an empty log, in one transaction; replicas that start together
 * do it one after the other.
 * @throws KeyturnError `ledger_corrupt` when a newer program made the schema one that this program does not know.
 */
export async function migrate(session: Session, schema: string, signer: LogSigner, list = MIGRATIONS): Promise<void> {
  await session.run({ sql: 'BEGIN' });
  await session.run({ sql: 'SELECT pg_advisory_xact_lock($1::bigint)', values: [lockKey(schema, 'migrate')] });
  await makeSchema(session, schema);
  const { rows } = await session.run({ sql: 'SELECT number, compatible FROM migrations ORDER BY number' });
  const done = rows.length;
  assertKnown(rows.at(-1)?.['number'], neededBy(rows), list.length);
  if (done > 0 && done < list.length) await holdCommits(session);
  for (const [at, { compatible, statements }] of list.entries()) {
    if (at < done) continue;
    for (const statement of statements(build)) await session.run(compiled(statement));
    const values = [at + 1, compatible];
    await session.run({ sql: 'INSERT INTO migrations (number, compatible) VALUES ($1, $2)', values });
    if (!compatible) await session.run({ sql: 'UPDATE head SET needs = $1', values: [at + 1] });
  }
  await beginLog(session, signer, list);
  await session.run({ sql: 'COMMIT' });
}

/**
 * Commits of other replicas end first, and wait from here on: one that had written to a table would hold up this one,
 * and be held up by it at the next table. An index on a large table takes as long as it takes.
 */
async function holdCommits(session: Session): Promise<void> {
  await session.run({ sql: 'SELECT 1 FROM head WHERE id = 1 FOR UPDATE' });
  await session.run({ sql: 'SET LOCAL statement_timeout = 0' });
}

/** IF NOT EXISTS would want the right to make them also where they are, and an operator may keep that right back. */
async function makeSchema(session: Session, schema: string): Promise<void> {
  const { rows } = await session.run({
    sql: `SELECT to_regnamespace($1) IS NOT NULL AS schema, to_regclass($1 || '.migrations') IS NOT NULL AS migrations`,
    values: [`"${schema}"`],
  });
  if (rows[0]?.['schema'] !== true) await session.run({ sql: `CREATE SCHEMA "${schema}"` });
  if (rows[0]?.['migrations'] === true) return;
  await session.run({
    sql: 'CREATE TABLE migrations (number integer PRIMARY KEY, compatible boolean NOT NULL)',
  });
}

/** The newest migration that a program must know to go on. */
export function neededBy(rows: readonly Readonly<Record<string, unknown>>[]): number {
  return Number(rows.findLast(({ compatible }) => compatible === false)?.['number'] ?? 0);
}

/** @throws KeyturnError `ledger_corrupt`: `needed` is what the schema asks of a program that knows `known` migrations. */
export function assertKnown(newest: unknown, needed: number, known: number): void {
  if (needed <= known) return;
  throw new KeyturnError('ledger_corrupt', `The ledger has schema ${String(newest)}; this version knows ${known}.`, {
    fix: 'Start the version of Keyturn that wrote it, or a newer one.',
  });
}

/** An empty log has a signed head too. */
async function beginLog(session: Session, signer: LogSigner, list: readonly Migration[]): Promise<void> {
  const begun = 'SELECT 1 FROM head UNION ALL SELECT 1 FROM checkpoints UNION ALL SELECT 1 FROM entries LIMIT 1';
  if ((await session.run({ sql: begun })).rows.length > 0) return;
  const needs = list.findLastIndex(({ compatible }) => !compatible) + 1;
  await session.run({
    sql: "INSERT INTO head (id, size, frontier, time, behind, needs) VALUES (1, 0, '', 0, false, $1)",
    values: [needs],
  });
  const note = signer.sign({ size: 0, root: EMPTY_ROOT });
  await session.run({
    sql: 'INSERT INTO checkpoints (size, note, batch) VALUES (0, $1, $2)',
    values: [note, randomUUID()],
  });
}
