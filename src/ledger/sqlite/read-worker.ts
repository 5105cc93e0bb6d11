import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { KeyturnError } from '../../core/errors.ts';
import { fromWire } from '../batch/answer.ts';
import { busy, type Health } from '../batch/health.ts';
import { Watchdog } from '../batch/watchdog.ts';
import type { FromReader, ReadQuery, ToReader } from './protocol.ts';
import { WORKER_LIMITS, workerFile } from './worker-file.ts';

/** How long a thread may take to close, milliseconds. */
const END_LIMIT_MS = 500;

/** Reads that may wait for one worker. */
const MAX_WAITING = 10_000;

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export interface ReadLimits {
  /** For one read, milliseconds. */
  readonly limitMs: number;
  /** A thread that had nothing to do for so long is ended, and begun again when it is needed. Default: never. */
  readonly idleMs?: number;
}

/**
 * A thread with a read-only connection, begun with the first read. Reads are answered in their order; when the oldest
 * takes longer than the limit all that wait are rejected, and the ledger itself goes on.
 */
export class ReadWorker {
  readonly #path: string;
  readonly #health: Health;
  readonly #limits: ReadLimits;
  readonly #watchdog: Watchdog;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | null = null;
  /** What was ended before. */
  #ended: Promise<unknown> = Promise.resolve();
  #idle: NodeJS.Timeout | undefined;
  #nextId = 0;
  #starting = false;

  constructor(path: string, health: Health, limits: ReadLimits) {
    this.#path = path;
    this.#health = health;
    this.#limits = limits;
    this.#watchdog = new Watchdog(limits.limitMs, () => this.#rejectAll(tooSlow(limits.limitMs)));
    health.onEnd((error) => this.#rejectAll(error));
  }

  /**
   * Resolves when the thread has read for the first time. On a busy machine it takes long to load its code, which is
   * not held against the limit.
   */
  async start(): Promise<void> {
    this.#starting = true;
    await this.ask({ op: 'checkpoints', after: -1, limit: 1 });
    this.#starting = false;
  }

  /** `T` is what this query gives; both sides are ours. */
  ask<T>(query: ReadQuery): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#health.assertReady();
      if (this.#waiting.size >= MAX_WAITING) throw busy(`${MAX_WAITING} reads wait`);
      clearTimeout(this.#idle);
      this.#nextId += 1;
      if (!this.#starting && this.#waiting.size === 0) this.#watchdog.start();
      this.#waiting.set(this.#nextId, { resolve: (value) => resolve(value as T), reject });
      this.#worker ??= this.#begin();
      this.#worker.postMessage({ id: this.#nextId, query } satisfies ToReader);
    });
  }

  /** Whether there is a thread. */
  get running(): boolean {
    return this.#worker !== null;
  }

  async end(): Promise<void> {
    this.#stop();
    await this.#ended;
  }

  #begin(): Worker {
    const worker = new Worker(workerFile('./reader/reader', import.meta.url), {
      workerData: this.#path,
      resourceLimits: WORKER_LIMITS,
    });
    worker.on('message', (message: FromReader) => this.#settle(message));
    worker.on('error', () => this.#health.end('failed', 'a thread that reads has crashed'));
    worker.on('exit', () => {
      if (this.#worker === worker) this.#health.end('failed', 'a thread that reads has ended');
    });
    return worker;
  }

  #stop(): void {
    clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#worker = null;
    if (worker !== null) this.#ended = Promise.all([this.#ended, closed(worker)]);
  }

  #settle(message: FromReader): void {
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (this.#waiting.size === 0) this.#rest();
    else this.#watchdog.start();
    if ('error' in message) waiting?.reject(fromWire(message.error));
    else waiting?.resolve(message.value);
  }

  #rest(): void {
    this.#watchdog.stop();
    const { idleMs } = this.#limits;
    if (idleMs !== undefined) this.#idle = setTimeout(() => this.#stop(), idleMs).unref();
  }

  #rejectAll(error: Error): void {
    this.#watchdog.stop();
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of all) reject(error);
  }
}

function tooSlow(limitMs: number): KeyturnError {
  return new KeyturnError('ledger_unavailable', `The ledger did not answer a read within ${limitMs} ms.`, {
    fix: 'Ask for less at a time; if every read fails, look after the disk of the ledger.',
    facts: { state: 'ready' },
  });
}

/** Lets the thread close its connection; one that is in the midst of a long read is ended all the same. */
async function closed(worker: Worker): Promise<void> {
  // Of one that is gone already nothing is heard any more.
  if (worker.threadId === -1) return;
  const ended = once(worker, 'exit');
  worker.postMessage('close' satisfies ToReader);
  const late = setTimeout(() => void worker.terminate(), END_LIMIT_MS);
  await ended;
  clearTimeout(late);
}
