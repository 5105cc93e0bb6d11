import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Statement } from '../../sql/statement.ts';

/** How long a statement waits for a lock of the other threads of this process, milliseconds. */
const BUSY_TIMEOUT_MS = 5000;
/** Twice as many are kept at most. */
const KEPT_STATEMENTS = 128;

/**
 * The one connection that writes. Every commit is synced to the write-ahead log before it returns (FULL). SQLite's own
 * automatic checkpoints are off, because it drops their errors: a failed sync of the main file must not pass unseen.
 */
export function openForWriting(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true });
  database.exec('PRAGMA journal_mode = WAL');
  database.exec('PRAGMA synchronous = FULL');
  database.exec('PRAGMA wal_autocheckpoint = 0');
  guard(database);
  return database;
}

/** Sees what is committed, changes nothing, and never waits for the writer. */
export function openForReading(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, readOnly: true });
  database.exec('PRAGMA query_only = ON');
  guard(database);
  return database;
}

function guard(database: DatabaseSync): void {
  database.exec('PRAGMA trusted_schema = OFF');
  database.exec('PRAGMA cell_size_check = ON');
}

/** Prepared statements by their text; those not used for long go when there are too many. */
export class Statements {
  readonly #database: DatabaseSync;
  #kept = new Map<string, StatementSync>();
  /** What was kept before there were too many. */
  #before = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  prepare(sql: string): StatementSync {
    const kept = this.#kept.get(sql);
    if (kept !== undefined) return kept;
    const statement = this.#before.get(sql) ?? this.#database.prepare(sql);
    if (this.#kept.size === KEPT_STATEMENTS) {
      this.#before = this.#kept;
      this.#kept = new Map();
    }
    this.#kept.set(sql, statement);
    return statement;
  }

  all({ sql, values }: Statement): Record<string, unknown>[] {
    return this.prepare(sql).all(...values);
  }

  exists({ sql, values }: Statement): boolean {
    return this.prepare(sql).get(...values) !== undefined;
  }

  /** Returns the number of rows touched. */
  run({ sql, values }: Statement): number {
    return Number(this.prepare(sql).run(...values).changes);
  }
}
