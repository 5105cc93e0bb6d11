import type { Clock } from '../../core/clock.ts';
import { KeyturnError } from '../../core/errors.ts';
import { type ServerLog, toldBy } from './server-log.ts';

/** How long nothing more is said of the same failure of the same store, milliseconds. */
const QUIET_MS = 60_000;

/** Codes that speak of the store and not of what was asked. */
const OF_THE_STORE = ['keystore_unavailable', 'keystore_corrupt', 'keystore_conflict', 'keystore_rollback', 'internal'];

/**
 * Says in the log which key store fails and why, once a minute for each cause, and when one is not ready any more or is
 * again. Of health it tells changes alone: whoever probes us each second makes no line.
 */
export class StoreLog {
  readonly #log: ServerLog;
  readonly #clock: Clock;
  readonly #failed = new Map<string, number>();
  readonly #notReady = new Map<string, string>();

  constructor(log: ServerLog, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  failure(store: string, verb: string, error: unknown): void {
    if (!(error instanceof KeyturnError) || !OF_THE_STORE.includes(error.code)) return;
    const told = toldBy(error);
    const cause = `${store} ${told['reason'] ?? error.code}`;
    const now = this.#clock.monotonic();
    if (now - (this.#failed.get(cause) ?? Number.NEGATIVE_INFINITY) < QUIET_MS) return;
    this.#failed.set(cause, now);
    this.#log.warning('store-failed', { store, verb, ...told });
  }

  health(store: string, { ready, detail }: { readonly ready: boolean; readonly detail: string }): void {
    const before = this.#notReady.get(store);
    if (ready) {
      if (this.#notReady.delete(store)) this.#log.notice('store-ready', { store });
      return;
    }
    this.#notReady.set(store, detail);
    if (before !== detail) this.#log.warning('store-not-ready', { store, detail });
  }
}
