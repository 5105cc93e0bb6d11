import type { Change, Outcome } from '../change.ts';
import type { SignedHead } from '../log/proof.ts';
import { type BatchAnswer, type ChangeResult, fromWire } from './answer.ts';
import { busy, closing, type Health } from './health.ts';
import { Watchdog } from './watchdog.ts';

/** Changes of one transaction: past this, more of them in one commit saves little and delays the first. */
const MAX_BATCH = 256;
/** So many go at once when nothing is under way: the writer is then at work while this thread reads further requests. */
const ENOUGH = 8;
/** Changes that may wait; past this the caller is told to come again, rather than memory filled. */
const MAX_WAITING = 4096;

interface Waiting {
  readonly change: Change;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: Error) => void;
}

export interface CommitQueueOptions {
  /** Hands a batch over; its answer comes to `settle`. */
  readonly send: (changes: readonly Change[]) => void;
  readonly stallAfterMs: number;
  /** What to say when a batch was not durable in time; default: that. */
  readonly stallDetail?: () => string;
  readonly onHead: (head: SignedHead) => void;
}

/** One batch at the writer, the next one gathering meanwhile: under load the batches grow by themselves. */
export class CommitQueue {
  readonly #options: CommitQueueOptions;
  readonly #health: Health;
  readonly #watchdog: Watchdog;
  #waiting: Waiting[] = [];
  #inFlight: readonly Waiting[] = [];
  #scheduled = false;
  #refusing = false;
  #whenIdle: (() => void) | undefined;

  constructor(health: Health, options: CommitQueueOptions) {
    this.#options = options;
    this.#health = health;
    const { stallAfterMs, stallDetail = () => `a commit was not durable after ${stallAfterMs} ms` } = options;
    this.#watchdog = new Watchdog(stallAfterMs, () => health.end('stalled', stallDetail()));
    health.onEnd((error) => this.#abandon(error));
  }

  get pending(): number {
    return this.#waiting.length + this.#inFlight.length;
  }

  add(change: Change): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      this.#health.assertReady();
      if (this.#refusing) throw closing();
      if (this.#waiting.length >= MAX_WAITING) throw busy(`${MAX_WAITING} changes wait to become durable`);
      this.#waiting.push({ change, resolve, reject });
      if (this.#waiting.length >= ENOUGH && this.#inFlight.length === 0) this.#send();
      else this.#schedule();
    });
  }

  /** The writer's answer to the batch in flight. One that comes after the end releases nothing. */
  settle({ size, checkpoint, results }: BatchAnswer): void {
    if (!this.#health.isReady) return;
    this.#watchdog.stop();
    const batch = this.#inFlight;
    this.#inFlight = [];
    if (results.length !== batch.length) {
      this.#waiting.unshift(...batch);
      this.#health.end('failed', 'the writer answered another batch than it was given');
      return;
    }
    // First, so that the writer is at work while the callers go on, which is not before this turn is over.
    if (this.#waiting.length > 0) this.#send();
    for (const [index, { resolve, reject }] of batch.entries()) deliver(results[index]!, resolve, reject);
    if (checkpoint !== null) this.#options.onHead({ size, checkpoint });
    if (this.pending === 0) this.#whenIdle?.();
  }

  /** Takes no more; what waits is still committed. */
  refuse(): void {
    this.#refusing = true;
  }

  /** Resolves when nothing waits any more, whatever became of it. */
  idle(): Promise<void> {
    if (this.pending === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenIdle = resolve;
    });
  }

  /** At the end of this turn of the loop, so that the requests of one turn share a batch. */
  #schedule(): void {
    if (this.#scheduled || this.#inFlight.length > 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      // All of it may be gone already.
      if (this.#health.isReady && this.#inFlight.length === 0 && this.#waiting.length > 0) this.#send();
    });
  }

  #send(): void {
    this.#inFlight = this.#waiting.splice(0, MAX_BATCH);
    this.#watchdog.start();
    try {
      this.#options.send(this.#inFlight.map(({ change }) => change));
    } catch {
      // What the writer knows of it can't be told: it may be half of what the next batch builds on.
      this.#health.end('failed', 'a batch could not be handed over to the writer');
    }
  }

  #abandon(error: Error): void {
    this.#watchdog.stop();
    const all = [...this.#inFlight, ...this.#waiting];
    this.#inFlight = [];
    this.#waiting = [];
    for (const { reject } of all) reject(error);
    this.#whenIdle?.();
  }
}

function deliver(result: ChangeResult, resolve: Waiting['resolve'], reject: Waiting['reject']): void {
  if ('outcome' in result) resolve(result.outcome);
  else reject(fromWire(result.error));
}
