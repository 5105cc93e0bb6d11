import { TreeFrontier, type TreeNode } from '../../audit/tree.ts';
import { KeyturnError } from '../../core/errors.ts';
import type { Ledger, StoredEntry } from '../ledger.ts';
import type { SignedHead } from '../log/proof.ts';
import { columnsOf, keyOf } from '../sql/columns.ts';
import { openForReading } from '../sqlite/database/connection.ts';
import type { TableName } from '../tables.ts';

const PAGE = 1000;

export type Row = Readonly<Record<string, unknown>>;

/** The rows of a table in order of its key, a page at a time; the ledger is open, so nobody else writes to it. */
export function* tablePages(path: string, table: TableName): Generator<readonly Row[]> {
  const database = openForReading(path);
  try {
    const columns = columnsOf(table).join(', ');
    const rows = database.prepare(`SELECT ${columns} FROM ${table} ORDER BY ${keyOf(table).join(', ')}`).iterate();
    let page: Row[] = [];
    for (const row of rows) {
      page.push({ ...row });
      if (page.length < PAGE) continue;
      yield page;
      page = [];
    }
    if (page.length > 0) yield page;
  } finally {
    database.close();
  }
}

export interface LogPage {
  readonly entries: readonly StoredEntry[];
  /** Subtrees above the leaves that these entries completed. */
  readonly nodes: readonly TreeNode[];
  readonly frontier: TreeFrontier;
}

/** The log a page at a time, with its tree built anew from the leaves. */
export async function* logPages(ledger: Ledger, size: number): AsyncGenerator<LogPage> {
  const frontier = TreeFrontier.empty();
  while (frontier.size < size) {
    const entries = await ledger.entries({ from: frontier.size, limit: PAGE });
    if (entries.length === 0) throw new KeyturnError('ledger_corrupt', `The ledger lacks entry ${frontier.size}.`);
    const nodes = entries.flatMap(({ leafHash }) => frontier.append(Buffer.from(leafHash, 'base64')));
    yield { entries, nodes: nodes.filter(({ level }) => level > 0), frontier };
  }
}

export async function* checkpointPages(ledger: Ledger): AsyncGenerator<readonly SignedHead[]> {
  for (let after = -1; ; ) {
    const page = await ledger.checkpoints(after, PAGE);
    const last = page.at(-1);
    if (last === undefined) return;
    yield page;
    after = last.size;
  }
}
