import type { Receipt } from '../../../audit/receipt.ts';
import { KeyturnError } from '../../../core/errors.ts';
import type { EntryQuery, StoredEntry } from '../../ledger.ts';
import { cell, questionMark } from '../../sql/statement.ts';
import { selectStatement } from '../../sql/translate.ts';
import type { Statements } from '../database/connection.ts';
import { proveEntry, type SignedHead } from '../database/proof.ts';
import type { TreeRows } from '../database/tree-rows.ts';
import type { ReadQuery } from '../protocol.ts';

const DEFAULT_ENTRIES = 100;
const MAX_ENTRIES = 10_000;

/** Everything that is read; committed state only. */
export class Queries {
  readonly #statements: Statements;
  readonly #nodes: TreeRows;

  constructor(statements: Statements, nodes: TreeRows) {
    this.#statements = statements;
    this.#nodes = nodes;
  }

  /** @throws KeyturnError `invalid_input`, `not_found`. */
  run(query: ReadQuery): unknown {
    switch (query.op) {
      case 'find':
        return this.#statements.all(selectStatement(query.table, query.where, query.options, questionMark));
      case 'entries':
        return this.#entries(query.query);
      case 'checkpoints':
        return this.#checkpoints(query.after, query.limit);
      case 'receipt':
        return this.#receipt(query.index, query.seen);
    }
  }

  /** Times never go back along the log, so a range of times is a range of indexes. */
  #entries(query: EntryQuery): StoredEntry[] {
    const limit = query.limit ?? DEFAULT_ENTRIES;
    if (!Number.isSafeInteger(limit) || limit < 0 || limit > MAX_ENTRIES) {
      throw new KeyturnError('invalid_input', `At most ${MAX_ENTRIES} entries are read at a time.`);
    }
    const since = query.since === undefined ? 0 : this.#firstIndex('time >= ?', query.since);
    const until = query.until === undefined ? Number.MAX_SAFE_INTEGER : this.#firstIndex('time > ?', query.until);
    const parts = ['idx >= ?', 'idx < ?'];
    const values = [Math.max(query.from ?? 0, since), Math.min(query.to ?? Number.MAX_SAFE_INTEGER, until)].map(cell);
    for (const column of ['kind', 'actor', 'credential'] as const) {
      if (query[column] === undefined) continue;
      parts.push(`${column} = ?`);
      values.push(cell(query[column]));
    }
    const order = query.descending === true ? 'DESC' : 'ASC';
    const sql = `SELECT idx, json, leaf FROM entries WHERE ${parts.join(' AND ')} ORDER BY idx ${order} LIMIT ?`;
    return this.#statements.all({ sql, values: [...values, limit] }).map(storedEntry);
  }

  #firstIndex(condition: 'time >= ?' | 'time > ?', time: number): number {
    const sql = `SELECT idx FROM entries WHERE ${condition} ORDER BY time, idx LIMIT 1`;
    const [row] = this.#statements.all({ sql, values: [cell(time)] });
    return row === undefined ? Number.MAX_SAFE_INTEGER : Number(row['idx']);
  }

  #checkpoints(after: number, limit: number): SignedHead[] {
    const sql = 'SELECT size, note FROM checkpoints WHERE size > ? ORDER BY size LIMIT ?';
    return this.#statements.all({ sql, values: [cell(after), cell(limit)] }).map(signedHead);
  }

  #receipt(index: number, seen: number): Receipt {
    const [entry] = this.#statements.all({ sql: 'SELECT json FROM entries WHERE idx = ?', values: [cell(index)] });
    if (entry === undefined) {
      throw new KeyturnError('not_found', `The log has no entry ${index}.`, { facts: { index } });
    }
    const [newest] = this.#statements.all({
      sql: 'SELECT size, note FROM checkpoints ORDER BY size DESC LIMIT 1',
      values: [],
    });
    if (newest === undefined) throw new KeyturnError('ledger_corrupt', 'The ledger has no checkpoint.');
    return proveEntry(this.#nodes, signedHead(newest), { index, json: String(entry['json']) }, seen);
  }
}

function signedHead(row: Record<string, unknown>): SignedHead {
  return { size: Number(row['size']), checkpoint: String(row['note']) };
}

function storedEntry(row: Record<string, unknown>): StoredEntry {
  const leaf = row['leaf'];
  if (!(leaf instanceof Uint8Array)) throw new KeyturnError('ledger_corrupt', 'An entry has no leaf hash.');
  return { index: Number(row['idx']), json: String(row['json']), leafHash: Buffer.from(leaf).toString('base64') };
}
