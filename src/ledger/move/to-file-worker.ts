import { closeSync, openSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { isKeyturnError, KeyturnError } from '../../core/errors.ts';
import { toWire } from '../batch/answer.ts';
import type { SignedHead } from '../log/proof.ts';
import { clientConfig } from '../postgres/connection/client-config.ts';
import { cannotConnect } from '../postgres/connection/server.ts';
import { type Row, Session } from '../postgres/connection/session.ts';
import { newestCheckpoint } from '../postgres/database/check-log.ts';
import { columnsOf, TABLES } from '../sql/columns.ts';
import { describe } from '../sqlite/database/fault.ts';
import { migrate } from '../sqlite/database/schema.ts';
import type { ToFileAnswer, ToFileRequest } from './to-file.ts';

const CONNECT_MS = 10_000;
/** Of one statement. */
const LIMIT_MS = 600_000;
const PAGE = 2000;

/** Columns of everything that the file keeps, in an order in which no row refers to a later one. */
const COPIED: readonly (readonly [table: string, columns: readonly string[]])[] = [
  ...TABLES.filter((table) => table !== 'fences').map((table) => [table, columnsOf(table)] as const),
  ['entries', ['idx', 'time', 'kind', 'actor', 'credential', 'json', 'leaf']],
  ['tree_nodes', ['level', 'idx', 'hash']],
  ['checkpoints', ['size', 'note']],
  ['head', ['id', 'size', 'frontier', 'time']],
];

/** Worker: makes one copy and ends. */
void answer(workerData as ToFileRequest).then((made) => parentPort?.postMessage(made));

async function answer(request: ToFileRequest): Promise<ToFileAnswer> {
  try {
    return { head: await copy(request) };
  } catch (error) {
    return { error: toWire(isKeyturnError(error) ? error : notCopied(error)) };
  }
}

function notCopied(error: unknown): KeyturnError {
  return new KeyturnError('ledger_unavailable', `The ledger could not be copied: ${describe(error)}.`, {
    fix: 'Look after the database, and make room beside the emergency journal for a copy of the ledger; then try again.',
    facts: { state: 'ready' },
  });
}

async function copy({ place, copy: path }: ToFileRequest): Promise<SignedHead> {
  closeSync(openSync(path, 'wx', 0o600));
  const file = new DatabaseSync(path, { enableForeignKeyConstraints: false });
  let session: Session;
  try {
    session = await Session.open(clientConfig(place, { statement_timeout: LIMIT_MS }, CONNECT_MS));
  } catch (error) {
    throw cannotConnect(place, error);
  }
  try {
    // Of use only once it is whole, so nothing of it need outlive a crash.
    file.exec('PRAGMA journal_mode = OFF');
    file.exec('PRAGMA synchronous = OFF');
    migrate(file);
    // PostgreSQL, transaction isolation: every statement sees what was committed at the first one.
    await session.run({ sql: 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY' });
    const head = await newestCheckpoint(session);
    for (const [table, columns] of COPIED) await copyTable(session, file, table, columns);
    await session.run({ sql: 'COMMIT' });
    if (head === null) throw new KeyturnError('ledger_corrupt', 'The ledger has no checkpoint.');
    return head;
  } finally {
    await session.end();
    file.close();
  }
}

async function copyTable(
  session: Session,
  file: DatabaseSync,
  table: string,
  columns: readonly string[],
): Promise<void> {
  const names = columns.join(', ');
  const insert = file.prepare(`INSERT INTO ${table} (${names}) VALUES (${columns.map(() => '?').join(', ')})`);
  await session.run({ sql: `DECLARE copied NO SCROLL CURSOR FOR SELECT ${names} FROM ${table}` });
  for (;;) {
    const { rows } = await session.run({ sql: `FETCH ${PAGE} FROM copied` });
    if (rows.length === 0) break;
    file.exec('BEGIN');
    for (const row of rows) insert.run(...columns.map((column) => cellOf(row, column)));
    file.exec('COMMIT');
  }
  await session.run({ sql: 'CLOSE copied' });
}

function cellOf(row: Row, column: string): SQLInputValue {
  const value = row[column];
  if (typeof value === 'string' || typeof value === 'number' || value === null) return value;
  if (value instanceof Uint8Array) return value;
  throw new KeyturnError('internal', `The column ${column} holds what no column of the ledger does.`);
}
