import { type Change, tableOf } from '../change.ts';
import type { TableName, Tables } from '../tables.ts';

/** Tables that are asked about at each request and seldom written. Leases and tokens are neither. */
const KEPT_TABLES: ReadonlySet<TableName> = new Set(['credentials', 'versions', 'companions', 'policies', 'stores']);
/** A row with certificate and chain is about 5 KB. */
const KEPT_ROWS = 2_000;
const KEPT_ROWS_AN_ANSWER = 16;

type Row = Tables[TableName];

/**
 * Answers to questions about state, until somebody writes to their table. This process is the only one that writes to
 * the ledger (ProcessLock), and all its writes pass here before their callers hear of them, so nothing that is kept is
 * stale: a read sees every change whose commit has resolved. Rows are frozen, since many callers share them.
 */
export class RowCache {
  readonly #tables = new Map<TableName, Map<string, readonly Row[]>>();
  readonly #writes = new Map<TableName, number>();
  readonly #underWay = new Set<TableName>();
  #rows = 0;

  /** The rows, if they are known. */
  known<T extends TableName>(table: T, question: string): Tables[T][] | undefined {
    const rows = this.#tables.get(table)?.get(question);
    // What is kept under a table are rows of that table.
    return rows === undefined ? undefined : ([...rows] as Tables[T][]);
  }

  /** The rows, from `read` unless they are known. `question` tells everything that `read` depends on but the table. */
  async find<T extends TableName>(table: T, question: string, read: () => Promise<Tables[T][]>): Promise<Tables[T][]> {
    const known = this.known(table, question);
    if (known !== undefined) return known;
    const before = this.#writes.get(table);
    const rows = await read();
    // A write that came meanwhile may or may not be in what was read.
    if (this.#writes.get(table) === before) this.#keep(table, question, rows);
    return rows;
  }

  /** What the writer is given; one batch at a time. */
  beingWritten(changes: readonly Change[]): void {
    for (const { writes = [] } of changes) for (const write of writes) this.#underWay.add(tableOf(write));
  }

  /** The writer is done with that, whatever became of it. To be called before those who wait hear of it. */
  written(): void {
    for (const table of this.#underWay) {
      if (!KEPT_TABLES.has(table)) continue;
      this.#writes.set(table, (this.#writes.get(table) ?? 0) + 1);
      this.#drop(table);
    }
    this.#underWay.clear();
  }

  #keep(table: TableName, question: string, rows: readonly Row[]): void {
    if (!KEPT_TABLES.has(table) || rows.length > KEPT_ROWS_AN_ANSWER) return;
    // Nothing finer is needed: a working set that does not fit is read from the file, as before.
    if (this.#rows + rows.length + 1 > KEPT_ROWS) for (const kept of this.#tables.keys()) this.#drop(kept);
    const answers = this.#tables.get(table) ?? new Map<string, readonly Row[]>();
    this.#tables.set(table, answers);
    answers.set(question, rows.map(Object.freeze) as Row[]);
    this.#rows += rows.length + 1;
  }

  #drop(table: TableName): void {
    for (const rows of this.#tables.get(table)?.values() ?? []) this.#rows -= rows.length + 1;
    this.#tables.delete(table);
  }
}
