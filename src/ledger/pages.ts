import type { AuditEntry } from '../audit/entry.ts';
import { parseEntry } from '../audit/recorded.ts';
import type { Where } from './change.ts';
import type { Ledger } from './ledger.ts';
import type { TableName, Tables } from './tables.ts';

/** Rows that are read at a time: what one answer of the ledger holds in memory. */
const AT_A_TIME = 1_000;

type Column<T extends TableName> = keyof Tables[T] & string;

/**
 * All rows that `where` lets through, in order of `by`, a column of text that `where` is not about; rows that have the
 * same there come in one page. What is written meanwhile may be missed or not, by its place; no row comes twice.
 */
export async function* rowPages<T extends TableName>(
  ledger: Pick<Ledger, 'find'>,
  table: T,
  where: Where<T>,
  by: Column<T>,
): AsyncGenerator<Tables[T][]> {
  let limit = AT_A_TIME;
  for (let after = ''; ; ) {
    const rows = await find(ledger, table, where, { by, after, limit });
    if (rows.length < limit) {
      if (rows.length > 0) yield rows;
      return;
    }
    // The last of them may have more with the same value behind the limit.
    const last = rows.at(-1)?.[by];
    const whole = rows.filter((row) => row[by] !== last);
    const end = whole.at(-1);
    if (end === undefined) {
      limit *= 2;
      continue;
    }
    yield whole;
    after = String(end[by]);
    limit = AT_A_TIME;
  }
}

/** The same in one list: for what must be known whole. */
export async function everyRow<T extends TableName>(
  ledger: Pick<Ledger, 'find'>,
  table: T,
  where: Where<T>,
  by: Column<T>,
): Promise<Tables[T][]> {
  const all: Tables[T][] = [];
  for await (const rows of rowPages(ledger, table, where, by)) all.push(...rows);
  return all;
}

export interface Page<T extends TableName> {
  /** Column of text that is different in each row. */
  readonly by: Column<T>;
  /** Only rows past this one; empty for the first page. */
  readonly after: string;
  /** At most so many. */
  readonly limit: number;
  readonly keep: (row: Tables[T]) => boolean;
}

/** The first rows that are kept, and after which value the next page begins; null when there is none. */
export async function pageOf<T extends TableName>(
  ledger: Pick<Ledger, 'find'>,
  table: T,
  where: Where<T>,
  { by, after, limit, keep }: Page<T>,
): Promise<{ readonly items: Tables[T][]; readonly next: string | null }> {
  const found: Tables[T][] = [];
  for (let from = after; found.length <= limit; ) {
    const rows = await find(ledger, table, where, { by, after: from, limit: AT_A_TIME });
    found.push(...rows.filter(keep));
    const last = rows.at(-1);
    if (last === undefined || rows.length < AT_A_TIME) break;
    from = String(last[by]);
  }
  const items = found.slice(0, limit);
  const end = items.at(-1);
  return { items, next: found.length > limit && end !== undefined ? String(end[by]) : null };
}

export interface EntriesWanted {
  readonly kind: string;
  /** Inclusive; default: from the first on. */
  readonly from?: number;
  /** Exclusive; default: to the end. */
  readonly to?: number;
  readonly credential?: string;
}

/** Entries of one kind, page by page, in their order. */
export async function* entriesOf(ledger: Pick<Ledger, 'entries'>, wanted: EntriesWanted): AsyncGenerator<AuditEntry> {
  for (let from = wanted.from ?? 0; ; ) {
    const page = await ledger.entries({ ...wanted, from, limit: AT_A_TIME });
    for (const { json } of page) yield parseEntry(json);
    const last = page.at(-1);
    if (last === undefined || page.length < AT_A_TIME) return;
    from = last.index + 1;
  }
}

function find<T extends TableName>(
  ledger: Pick<Ledger, 'find'>,
  table: T,
  where: Where<T>,
  { by, after, limit }: { readonly by: Column<T>; readonly after: string; readonly limit: number },
): Promise<Tables[T][]> {
  const past = { ...where, ...(after === '' ? {} : { [by]: { gt: after } }) } as Where<T>;
  return ledger.find(table, past, { orderBy: by, limit });
}
