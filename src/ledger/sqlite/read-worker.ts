import { Worker } from 'node:worker_threads';
import { KeyturnError } from '../../core/errors.ts';
import { fromWire } from '../batch/answer.ts';
import { busy, type Health } from '../batch/health.ts';
import { Watchdog } from '../batch/watchdog.ts';
import type { FromReader, ReadQuery, ToReader } from './protocol.ts';
import { WORKER_LIMITS, workerFile } from './worker-file.ts';

/** Reads that may wait for one worker. */
const MAX_WAITING = 10_000;

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/**
 * A thread with a read-only connection. Reads are answered in their order; when the oldest takes longer than the limit
 * all that wait are rejected, and the ledger itself goes on.
 */
export class ReadWorker {
  readonly #worker: Worker;
  readonly #health: Health;
  readonly #watchdog: Watchdog;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 0;
  #started = false;

  constructor(path: string, health: Health, limitMs: number) {
    this.#worker = new Worker(workerFile('./reader/reader', import.meta.url), {
      workerData: path,
      resourceLimits: WORKER_LIMITS,
    });
    this.#health = health;
    this.#watchdog = new Watchdog(limitMs, () => this.#rejectAll(tooSlow(limitMs)));
    this.#worker.on('message', (message: FromReader) => this.#settle(message));
    this.#worker.on('error', () => health.end('failed', 'a thread that reads has crashed'));
    this.#worker.on('exit', () => health.end('failed', 'a thread that reads has ended'));
    health.onEnd((error) => this.#rejectAll(error));
  }

  /**
   * Resolves when the thread has read for the first time. On a busy machine it takes long to load its code, which is
   * not held against the limit.
   */
  async start(): Promise<void> {
    await this.ask({ op: 'checkpoints', after: -1, limit: 1 });
    this.#started = true;
  }

  /** `T` is what this query gives; both sides are ours. */
  ask<T>(query: ReadQuery): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#health.assertReady();
      if (this.#waiting.size >= MAX_WAITING) throw busy(`${MAX_WAITING} reads wait`);
      this.#nextId += 1;
      if (this.#started && this.#waiting.size === 0) this.#watchdog.start();
      this.#waiting.set(this.#nextId, { resolve: (value) => resolve(value as T), reject });
      this.#worker.postMessage({ id: this.#nextId, query } satisfies ToReader);
    });
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #settle(message: FromReader): void {
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (this.#waiting.size === 0) this.#watchdog.stop();
    else this.#watchdog.start();
    if ('error' in message) waiting?.reject(fromWire(message.error));
    else waiting?.resolve(message.value);
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
