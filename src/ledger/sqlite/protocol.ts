import type { KeyObject } from 'node:crypto';
import type { WireError } from '../batch/answer.ts';
import type { EntryQuery } from '../ledger.ts';
import type { RowOrder } from '../sql/translate.ts';
import type { TableName } from '../tables.ts';
import type { PackedAnswer } from './packed-answer.ts';
import type { PackedChanges } from './packed-changes.ts';

/** What goes between the main thread and the ledger's workers: our own code on both sides, plain data. */

export interface WriterData {
  readonly path: string;
  readonly origin: string;
  /** Ed25519. A KeyObject crosses threads without being exported. */
  readonly privateKey: KeyObject;
  /** The log goes on in this generation, or in that of its newest checkpoint when that is later. */
  readonly generation: number;
  /** How many of the newest entries are hashed anew at open. */
  readonly recheck: number;
}

export type ToWriter =
  | { readonly kind: 'batch'; readonly now: number; readonly packed: PackedChanges }
  | { readonly kind: 'close' };

export type FromWriter =
  | { readonly kind: 'ready'; readonly size: number; readonly checkpoint: string }
  | { readonly kind: 'refused'; readonly error: WireError }
  | { readonly kind: 'durable'; readonly answer: PackedAnswer }
  /** Nothing will be committed any more. */
  | { readonly kind: 'failed'; readonly detail: string }
  | { readonly kind: 'closed' };

export type ReadQuery =
  | { readonly op: 'find'; readonly table: TableName; readonly where: object; readonly options: RowOrder }
  | { readonly op: 'count'; readonly table: TableName; readonly where: object }
  | { readonly op: 'entries'; readonly query: EntryQuery }
  | { readonly op: 'checkpoints'; readonly after: number; readonly limit: number }
  | { readonly op: 'receipt'; readonly index: number; readonly seen: number };

/** `close`: after what was asked before it. */
export type ToReader = { readonly id: number; readonly query: ReadQuery } | 'close';

export type FromReader =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: WireError };
