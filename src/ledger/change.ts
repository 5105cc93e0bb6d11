import type { EntryDraft } from '../audit/entry.ts';
import type { Receipt } from '../audit/receipt.ts';
import type { TableName, Tables } from './tables.ts';

export type Cell = string | number | null;

/** A condition on one column: equal to a cell (null means IS NULL), one of several, or a comparison. */
export type Condition =
  | Cell
  | { readonly in: readonly (string | number)[] }
  /** Text is compared by its octets in UTF-8. */
  | { readonly gt: number | string }
  | { readonly lte: number }
  | { readonly not: Cell };

/** All conditions hold together (AND). */
export type Where<T extends TableName> = { readonly [C in keyof Tables[T]]?: Condition };

/**
 * Something that must still be true inside the transaction. `rule` names it in the refusal and in the refusal's
 * entry, e.g. `version-current`, `hold-on-version`, `binding-expired`. Changes that carry the same object for equal
 * checks may have it evaluated once in one transaction.
 */
export type Check =
  | { [T in TableName]: { readonly rule: string; readonly table: T; readonly some: Where<T> } }[TableName]
  | { [T in TableName]: { readonly rule: string; readonly table: T; readonly none: Where<T> } }[TableName]
  /** The ledger's wall clock must not be past this instant (milliseconds since the epoch); it may stand behind the log. */
  | { readonly rule: string; readonly notAfter: number };

export type Write =
  | { [T in TableName]: { readonly insert: T; readonly row: Tables[T] } }[TableName]
  /** Must touch exactly `rows` rows when given, any number otherwise. */
  | {
      [T in TableName]: {
        readonly update: T;
        readonly where: Where<T>;
        readonly set: Partial<Tables[T]>;
        readonly rows?: number;
      };
    }[TableName]
  /** Insert, or replace the row with the same key. */
  | { [T in TableName]: { readonly put: T; readonly row: Tables[T] } }[TableName];

export function tableOf(write: Write): TableName {
  if ('insert' in write) return write.insert;
  return 'update' in write ? write.update : write.put;
}

/**
 * One unit of work: plain data, so that it can travel to a worker thread. In one transaction the checks are
 * evaluated, then the writes made and the entry appended. If a check fails no write is made; the entry under
 * `refusal` (if any) is appended instead, with `rule` added to its data.
 */
export interface Change {
  readonly checks?: readonly Check[];
  readonly writes?: readonly Write[];
  readonly entry: EntryDraft;
  readonly refusal?: EntryDraft;
  /** Ask for a receipt; `seen` is the largest tree size the client has verified (0 for none). */
  readonly receipt?: { readonly seen: number };
}

export type Outcome =
  | { readonly committed: true; readonly index: number; readonly time: number; readonly receipt: Receipt | null }
  /** `index` is that of the refusal entry, null if the change carried none. */
  | { readonly committed: false; readonly rule: string; readonly index: number | null };
