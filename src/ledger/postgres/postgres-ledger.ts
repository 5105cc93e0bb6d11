import type { Receipt } from '../../audit/receipt.ts';
import type { CommitQueue } from '../batch/commit-queue.ts';
import type { Health } from '../batch/health.ts';
import type { Change, Outcome, Where } from '../change.ts';
import type { EntryQuery, FindOptions, Ledger, LedgerStatus, StoredEntry } from '../ledger.ts';
import type { SignedHead } from '../log/proof.ts';
import { dollarNumber } from '../sql/statement.ts';
import { selectStatement } from '../sql/translate.ts';
import type { TableName, Tables } from '../tables.ts';
import type { Committer } from './commit/committer.ts';
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
}

/** The ledger of many replicas. */
export class PostgresLedger implements Ledger {
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

  status(): LedgerStatus {
    const { health, queue, committer } = this.#parts;
    return { state: health.state, detail: health.detail, pending: queue.pending, size: committer.known.head.size };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { queue, health, committer, state, log } = this.#parts;
    queue.refuse();
    await queue.idle();
    health.end('closed', '');
    await committer.close();
    await Promise.all([state.end(), log.end()]);
  }
}
