import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { LogSigner, LogVerifier } from '../../../audit/checkpoint.ts';
import { isKeyturnError } from '../../../core/errors.ts';
import type { BatchAnswer } from '../../batch/answer.ts';
import type { Health } from '../../batch/health.ts';
import type { Change } from '../../change.ts';
import { type Session, within } from '../connection/session.ts';
import type { KnownLog } from '../database/check-log.ts';
import { describe } from '../database/fault.ts';
import type { Tree } from '../database/tree.ts';
import { attemptBatch, type Batch, type Prepared } from './transaction.ts';

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1000;

export interface CommitterOptions {
  /** A session that may write, or the error of the database. */
  readonly connect: () => Promise<Session>;
  readonly signer: LogSigner;
  readonly verifier: LogVerifier;
  readonly generation: number;
  readonly schema: string;
  readonly tree: Tree;
  readonly health: Health;
  readonly clock: (() => number) | undefined;
  /** For how long a batch is tried; past it the ledger is `stalled`, and goes on being asked. */
  readonly patienceMs: number;
  /** For one attempt; past it the connection is given up, and another asked what became of it. */
  readonly attemptMs: number;
  /** The largest size of the log that this process knows of, from its own commits or those of others. */
  readonly heard: () => number;
  /** The log is known to be durable up to this size. */
  readonly onSize: (size: number) => void;
  /** A batch that callers still wait for is durable. */
  readonly settle: (answer: BatchAnswer) => void;
  /** The ledger answers again. */
  readonly onRecovered: () => void;
}

/**
 * Brings batches to the database, one at a time, over a connection of its own. A lost connection, a restart or a
 * failover costs time, never the truth: a batch is tried anew until it is known to be committed once, or until
 * patience is over; then its callers were told that it is open, and all that goes on is to ask until the database
 * answers.
 */
export class Committer {
  readonly #options: CommitterOptions;
  #session: Session | null = null;
  #known: KnownLog;
  #working: Promise<void> = Promise.resolve();
  #lastFault = '';
  readonly #closed = new AbortController();
  /** Handed over and not settled yet. */
  readonly #batches = new Set<Batch>();

  constructor(options: CommitterOptions, known: KnownLog) {
    this.#options = options;
    this.#known = known;
    options.health.onEnd(() => {
      for (const batch of this.#batches) batch.wanted = false;
    });
  }

  /** Connects beforehand, so that the first commit does not wait for it, and a lost connection is noticed. */
  start(): void {
    this.#probe();
  }

  /** The newest head that this process knows to be durable. */
  get known(): KnownLog {
    return this.#known;
  }

  /** Why the newest attempt failed; empty when none did. */
  get lastFault(): string {
    return this.#lastFault;
  }

  /** The answer comes to `settle`. The caller hands over the next batch after that, or after the health has ended. */
  send(changes: readonly Change[]): void {
    this.#start({ id: randomUUID(), changes, sent: null, wanted: true });
  }

  async close(): Promise<void> {
    this.#closed.abort();
    this.#session?.destroy();
    await this.#working;
    this.#session?.destroy();
  }

  #start(batch: Batch): void {
    this.#batches.add(batch);
    this.#working = this.#working.then(() => this.#work(batch));
  }

  async #work(batch: Batch): Promise<void> {
    const { health, patienceMs } = this.#options;
    const deadline = performance.now() + patienceMs;
    for (let failures = 0; !this.#isOver; failures += 1) {
      const fault = await this.#attempt(batch);
      if (fault === null) break;
      this.#lastFault = fault;
      if (performance.now() > deadline) health.end('stalled', `the database does not answer: ${fault}`);
      await pause(pauseMs(failures), undefined, { signal: this.#closed.signal }).catch(() => undefined);
    }
    this.#batches.delete(batch);
    // Lost between two batches, while nobody looked.
    if (this.#batches.size === 0 && this.#session?.isOpen === false) this.#probe();
  }

  get #isOver(): boolean {
    const { state } = this.#options.health;
    return this.#closed.signal.aborted || state === 'failed' || state === 'closed';
  }

  /** Null when it is known what became of the batch; else why it is not. */
  async #attempt(batch: Batch): Promise<string | null> {
    const { health, attemptMs } = this.#options;
    try {
      const session = await this.#connected();
      const parts = { ...this.#options, session };
      const prepared = await within(session, attemptMs, () => attemptBatch(parts, batch, this.#known));
      this.#adopt(batch, prepared);
      return null;
    } catch (error) {
      this.#session?.destroy();
      this.#session = null;
      if (isKeyturnError(error, 'ledger_corrupt')) health.end('failed', error.message);
      return isKeyturnError(error) ? error.message : describe(error);
    }
  }

  /** Here memory follows the database, and never before. */
  #adopt(batch: Batch, { answer, known, adopt }: Prepared): void {
    const { health, settle, onSize, onRecovered } = this.#options;
    this.#known = known;
    this.#lastFault = '';
    adopt();
    onSize(known.head.size);
    // Once, whatever comes of it: the next batch is under way by then, and this is not its answer.
    const { wanted } = batch;
    batch.wanted = false;
    if (wanted) settle(answer);
    if (health.state !== 'stalled') return;
    health.recover();
    onRecovered();
  }

  async #connected(): Promise<Session> {
    if (this.#session?.isOpen === true) return this.#session;
    const session = await this.#options.connect();
    this.#session = session;
    this.#watch(session);
    return session;
  }

  /** Nobody may come for hours, and readiness is asked for meanwhile: so a lost connection is looked into at once. */
  #watch(session: Session): void {
    session.onLost(() => {
      if (this.#batches.size === 0) this.#probe();
    });
  }

  #probe(): void {
    if (!this.#isOver) this.#start({ id: randomUUID(), changes: [], sent: null, wanted: false });
  }
}

/** Doubling, and at random within the upper half, so that replicas do not come all at once. */
function pauseMs(failures: number): number {
  const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures, 10));
  return longest * (0.5 + Math.random() / 2);
}
