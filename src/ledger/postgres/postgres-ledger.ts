import type { Receipt } from '../../audit/receipt.ts';
import type { CommitQueue } from '../batch/commit-queue.ts';
import type { Health } from '../batch/health.ts';
import type { Change, Outcome, Where } from '../change.ts';
import type { Fence, Fenced, FenceMode } from '../fence.ts';
import type { EntryQuery, EntryRange, FindOptions, Ledger, LedgerStatus, StoredEntry } from '../ledger.ts';
import type { Followers } from '../log/followers.ts';
import type { SignedHead } from '../log/proof.ts';
import { copyToFile } from '../move/to-file.ts';
import type { Snapshotting } from '../snapshot.ts';
import { dollarNumber } from '../sql/statement.ts';
import { countStatement, selectStatement } from '../sql/translate.ts';
import type { TableName, Tables } from '../tables.ts';
import type { Announcements } from './announcements.ts';
import type { Committer } from './commit/committer.ts';
import type { PostgresPlace } from './connection/place.ts';
import type { Fences } from './fences.ts';
import type { Reader } from './reader.ts';

const DEFAULT_CHECKPOINTS = 1000;

/** What a ledger is made of; `openPostgresLedger` puts it together. */
export interface PostgresParts {
  readonly health: Health;
  readonly queue: CommitQueue;
  readonly committer: Committer;
  /** Answers questions about state. */
  readonly state: Reader;
  /** Answers questions about the log, so that a long one never keeps a lease waiting. */
  readonly log: Reader;
  readonly followers: Followers;
  readonly announcements: Announcements;
  readonly fences: Fences;
  readonly place: PostgresPlace;
}

/** The ledger of many replicas. */
export class PostgresLedger implements Ledger, Snapshotting {
  readonly #parts: PostgresParts;
  #closing: Promise<void> | undefined;

  constructor(parts: PostgresParts) {
    this.#parts = parts;
  }

  async commit(change: Change): Promise<Outcome> {
    return this.#parts.queue.add(change);
  }

  async find<T extends TableName>(table: T, where: Where<T>, options: FindOptions<T> = {}): Promise<Tables[T][]> {
    this.#parts.health.assertReady();
    // The statement names every column of the row, and the schema has their types.
    return (await this.#parts.state.rows(
      selectStatement(table, where, options, dollarNumber),
    )) as unknown as Tables[T][];
  }

  async count<T extends TableName>(table: T, where: Where<T>): Promise<number> {
    this.#parts.health.assertReady();
    const [row] = await this.#parts.state.rows(countStatement(table, where, dollarNumber));
    return Number(row?.['n']);
  }

  /** Of all replicas. */
  async head(): Promise<SignedHead> {
    this.#parts.health.assertReady();
    return this.#parts.state.head();
  }

  async entries(query: EntryQuery): Promise<StoredEntry[]> {
    this.#parts.health.assertReady();
    return this.#parts.log.entries(query);
  }

  async checkpoints(after: number, limit: number = DEFAULT_CHECKPOINTS): Promise<SignedHead[]> {
    this.#parts.health.assertReady();
    return this.#parts.log.checkpoints(after, limit);
  }

  async receipt(index: number, seen: number): Promise<Receipt> {
    this.#parts.health.assertReady();
    return this.#parts.log.receipt(index, seen);
  }

  follow(from: number, listener: (range: EntryRange) => void): () => void {
    return this.#parts.followers.follow(from, listener);
  }

  async withFence<T>(
    names: readonly string[],
    mode: FenceMode,
    work: (fence: Fence) => Promise<T>,
  ): Promise<Fenced<T>> {
    this.#parts.health.assertReady();
    return this.#parts.fences.run(names, mode, work);
  }

  async snapshot(path: string): Promise<SignedHead> {
    this.#parts.health.assertReady();
    return copyToFile({ place: this.#parts.place, copy: path });
  }

  status(): LedgerStatus {
    const { health, queue, followers } = this.#parts;
    return { state: health.state, detail: health.detail, pending: queue.pending, size: followers.size };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { queue, health, committer, state, log, announcements, fences } = this.#parts;
    queue.refuse();
    await queue.idle();
    health.end('closed', '');
    fences.close();
    await Promise.all([committer.close(), announcements.close(), state.end(), log.end()]);
  }
}
