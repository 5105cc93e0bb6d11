import type { Receipt } from '../../audit/receipt.ts';
import type { CommitQueue } from '../batch/commit-queue.ts';
import type { Health } from '../batch/health.ts';
import type { Change, Outcome, Where } from '../change.ts';
import { type Fence, type Fenced, type FenceMode, LocalFences } from '../fence.ts';
import type { EntryQuery, EntryRange, FindOptions, Ledger, LedgerStatus, StoredEntry } from '../ledger.ts';
import type { Followers } from '../log/followers.ts';
import type { SignedHead } from '../log/proof.ts';
import { isRemembered } from '../remembered.ts';
import type { Snapshotting } from '../snapshot.ts';
import type { TableName, Tables } from '../tables.ts';
import type { ReadWorker } from './read-worker.ts';
import type { RowCache } from './row-cache.ts';
import { takeSnapshot } from './snapshot/snapshot.ts';

const DEFAULT_CHECKPOINTS = 1000;
const NONE = {};

/** What a ledger is made of; `openSqliteLedger` puts it together. */
export interface SqliteParts {
  readonly path: string;
  readonly health: Health;
  readonly queue: CommitQueue;
  /** Answers questions about state. */
  readonly state: ReadWorker;
  readonly rows: RowCache;
  /** Answers questions about the log, so that a long one never keeps a lease waiting. */
  readonly log: ReadWorker;
  /** The newest durable head. */
  readonly head: () => SignedHead;
  readonly followers: Followers;
  readonly shutDown: () => Promise<void>;
}

/** The embedded ledger. Nothing here touches the disk: that is done in the workers. */
export class SqliteLedger implements Ledger, Snapshotting {
  readonly #parts: SqliteParts;
  readonly #fences = new LocalFences();
  #closing: Promise<void> | undefined;

  constructor(parts: SqliteParts) {
    this.#parts = parts;
  }

  commit(change: Change): Promise<Outcome> {
    return this.#parts.queue.add(change);
  }

  async find<T extends TableName>(table: T, where: Where<T>, options: FindOptions<T> = NONE): Promise<Tables[T][]> {
    const { health, rows, state } = this.#parts;
    health.assertReady();
    const question = questionOf(where, options);
    return (
      rows.known(table, question) ?? rows.find(table, question, () => state.ask({ op: 'find', table, where, options }))
    );
  }

  async count<T extends TableName>(table: T, where: Where<T>): Promise<number> {
    return this.#parts.state.ask({ op: 'count', table, where });
  }

  async head(): Promise<SignedHead> {
    this.#parts.health.assertReady();
    return this.#parts.head();
  }

  async entries(query: EntryQuery): Promise<StoredEntry[]> {
    return this.#reader(query.few === true).ask({ op: 'entries', query });
  }

  async checkpoints(after: number, limit: number = DEFAULT_CHECKPOINTS): Promise<SignedHead[]> {
    return this.#reader(limit === 1).ask({ op: 'checkpoints', after, limit });
  }

  async receipt(index: number, seen: number): Promise<Receipt> {
    return this.#parts.log.ask({ op: 'receipt', index, seen });
  }

  /** What is found at once keeps nobody waiting, and a thread would have to be begun for it: at each start, for one. */
  #reader(foundAtOnce: boolean): ReadWorker {
    return foundAtOnce ? this.#parts.state : this.#parts.log;
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
    return this.#fences.run(names, mode, work);
  }

  async snapshot(path: string): Promise<SignedHead> {
    this.#parts.health.assertReady();
    return takeSnapshot({ path: this.#parts.path, copy: path });
  }

  status(): LedgerStatus {
    const { health, queue, head } = this.#parts;
    return { state: health.state, detail: health.detail, pending: queue.pending, size: head().size };
  }

  /** A ledger that hangs or has failed is left to the end of the process: closing it could sync again. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#parts.queue.refuse();
    await this.#parts.queue.idle();
    if (!this.#parts.health.isReady) return;
    this.#parts.health.end('closed', '');
    await this.#parts.shutDown();
  }
}

const written = new WeakMap<object, { readonly options: object; readonly question: string }>();

/** All that an answer depends on but the table. */
function questionOf(where: object, options: object): string {
  const known = written.get(where);
  if (known?.options === options) return known.question;
  const question = JSON.stringify([where, options]);
  if (isRemembered(where)) written.set(where, { options, question });
  return question;
}
