import type { Receipt } from '../../../audit/receipt.ts';
import { KeyturnError } from '../../../core/errors.ts';
import type { EntryQuery, StoredEntry } from '../../ledger.ts';
import { proveEntry, type SignedHead } from '../../log/proof.ts';
import { noEntry, signedHead, storedEntry } from '../../log/rows.ts';
import { checkpointsStatement, entriesStatement, NEWEST_CHECKPOINT } from '../../sql/log.ts';
import { cell, questionMark } from '../../sql/statement.ts';
import { countStatement, selectStatement } from '../../sql/translate.ts';
import type { Statements } from '../database/connection.ts';
import type { TreeRows } from '../database/tree-rows.ts';
import type { ReadQuery } from '../protocol.ts';

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
      case 'count':
        return Number(this.#statements.all(countStatement(query.table, query.where, questionMark))[0]?.['n']);
      case 'entries':
        return this.#entries(query.query);
      case 'checkpoints':
        return this.#checkpoints(query.after, query.limit);
      case 'receipt':
        return this.#receipt(query.index, query.seen);
    }
  }

  #entries(query: EntryQuery): StoredEntry[] {
    return this.#statements.all(entriesStatement(query, questionMark)).map(storedEntry);
  }

  #checkpoints(after: number, limit: number): SignedHead[] {
    return this.#statements.all(checkpointsStatement(after, limit, questionMark)).map(signedHead);
  }

  #receipt(index: number, seen: number): Receipt {
    const [entry] = this.#statements.all({ sql: 'SELECT json FROM entries WHERE idx = ?', values: [cell(index)] });
    if (entry === undefined) throw noEntry(index);
    const [newest] = this.#statements.all({ sql: NEWEST_CHECKPOINT, values: [] });
    if (newest === undefined) throw new KeyturnError('ledger_corrupt', 'The ledger has no checkpoint.');
    return proveEntry(this.#nodes, signedHead(newest), { index, json: String(entry['json']) }, seen);
  }
}
