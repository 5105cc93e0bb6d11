import type { Receipt } from '../audit/receipt.ts';
import type { Change, Outcome, Where } from './change.ts';
import type { Fence, Fenced, FenceMode } from './fence.ts';
import type { TableName, Tables } from './tables.ts';

/**
 * PORT. State and log in one place, under one transaction.
 *
 * - `commit` returns only when the change is durable. Many changes may share one durable commit.
 * - A ledger that is `failed` or `stalled` answers nothing: every pending and every later call rejects with
 *   `ledger_unavailable`. A change whose call was rejected may still turn out to have been committed; the caller must
 *   have released nothing. `failed` is for good, until the process starts anew. `stalled` is so too where a sync that
 *   failed can't be told from one that worked (a file of our own); where what became of a commit can be asked for (a
 *   database server), the ledger is `ready` again once that is known.
 * - Concurrent commits are serialised by the adapter; each sees the effects of those before it.
 * - Reads see every change whose `commit` has resolved.
 */
export interface Ledger {
  /**
   * @throws KeyturnError `ledger_unavailable` (with the fact `busy` when only too many wait); `conflict` when a row with
   * the same key exists, a row refers to one that does not, or an update touched another number of rows than it said;
   * `invalid_input` for names and cells that no row has, and an entry that the log does not take; `log_forked`
   * for a `seen` past the tree. Nothing was written then, not even an entry.
   */
  commit(change: Change): Promise<Outcome>;

  /** Rows in no order unless `orderBy` is given. `limit` defaults to 1000. */
  find<T extends TableName>(table: T, where: Where<T>, options?: FindOptions<T>): Promise<Tables[T][]>;

  /** How many rows `find` would find without a limit. */
  count<T extends TableName>(table: T, where: Where<T>): Promise<number>;

  /** The newest signed checkpoint (note text) and its size. Size 0 has a checkpoint too. */
  head(): Promise<{ readonly size: number; readonly checkpoint: string }>;

  /** Entries in order of index, as the exact canonical JSON that was hashed. */
  entries(query: EntryQuery): Promise<StoredEntry[]>;

  /** Checkpoints with `size > after`, ascending; at most `limit` (default 1000). One exists per durable commit. */
  checkpoints(after: number, limit?: number): Promise<{ readonly size: number; readonly checkpoint: string }[]>;

  /**
   * Proof for an entry that is already on the log, at the newest checkpoint.
   * @throws KeyturnError `not_found` if there is no such entry; `log_forked` if `seen` is past the tree.
   */
  receipt(index: number, seen: number): Promise<Receipt>;

  /**
   * Tells of entries from index `from` on, as they become durable, by ranges that follow one another without a gap:
   * those of this process before the callers of their commits go on, those of other replicas soon after. A notification
   * that is lost only delays them. `listener` must not throw. The function that is returned ends it.
   */
  follow(from: number, listener: (range: EntryRange) => void): () => void;

  /**
   * Runs `work` while no other replica is inside a fence with one of these names, or not at all: see {@link Fence}.
   * @throws KeyturnError `ledger_unavailable`; and whatever `work` throws.
   */
  withFence<T>(names: readonly string[], mode: FenceMode, work: (fence: Fence) => Promise<T>): Promise<Fenced<T>>;

  status(): LedgerStatus;

  /** Finishes what is pending, then closes. Later calls reject with `ledger_unavailable`. */
  close(): Promise<void>;
}

/** Indexes of entries. */
export interface EntryRange {
  /** Inclusive. */
  readonly from: number;
  /** Exclusive: the tree size. */
  readonly to: number;
}

export interface FindOptions<T extends TableName> {
  readonly orderBy?: keyof Tables[T] & string;
  readonly descending?: boolean;
  readonly limit?: number;
}

export interface EntryQuery {
  /** Lowest index, inclusive. Default 0. */
  readonly from?: number;
  /** Highest index, exclusive. Default: the tree size. */
  readonly to?: number;
  readonly kind?: string;
  readonly actor?: string;
  readonly credential?: string;
  /** Entry time in milliseconds since the epoch, inclusive. */
  readonly since?: number;
  /** Entry time in milliseconds since the epoch, inclusive. */
  readonly until?: number;
  /** Newest first. Default false. */
  readonly descending?: boolean;
  /** Default 100, at most 10,000. */
  readonly limit?: number;
  /** The caller knows that those of this kind are few. A ledger may then answer as it does questions about state. */
  readonly few?: boolean;
}

export interface StoredEntry {
  readonly index: number;
  /** Exact canonical JSON. */
  readonly json: string;
  /** SHA-256(0x00 || json), base64. */
  readonly leafHash: string;
}

export interface LedgerStatus {
  /**
   * `stalled`: a commit has not become durable in time; final for the embedded ledger. `failed`: a write or sync failed,
   * or the log is not the one that it was; always final.
   */
  readonly state: 'ready' | 'stalled' | 'failed' | 'closed';
  /** What happened, for people. Empty when ready. */
  readonly detail: string;
  /** Changes that wait for a durable commit. */
  readonly pending: number;
  /** Tree size at the newest durable commit. */
  readonly size: number;
}
