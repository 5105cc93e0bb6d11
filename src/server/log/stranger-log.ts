import type { Clock } from '../../core/clock.ts';
import type { Ledger } from '../../ledger/ledger.ts';

/** Failures written one by one: per host and in all, each minute. What exceeds them is counted and summed up. */
const SINGLE_PER_HOST = 5;
const SINGLE_IN_ALL = 30;
const WINDOW_MS = 60_000;
/** Hosts told apart in one window; an attacker with more addresses is counted under the rest. */
const MAX_HOSTS = 1_000;

/**
 * Failed authentications are entries too, but nobody outside may fill the disk with them or stop releases: a few
 * singly, then one counted summary a minute. Never awaited by the request that failed.
 */
export class StrangerLog {
  readonly #ledger: Ledger;
  readonly #clock: Clock;
  #windowStart: number;
  #single = 0;
  #suppressed = 0;
  #perHost = new Map<string, number>();

  constructor(ledger: Ledger, clock: Clock) {
    this.#ledger = ledger;
    this.#clock = clock;
    this.#windowStart = clock.monotonic();
  }

  failed(reason: string, host: string, request: string): void {
    this.tick();
    const count = (this.#perHost.get(host) ?? 0) + 1;
    if (this.#perHost.size < MAX_HOSTS || this.#perHost.has(host)) this.#perHost.set(host, count);
    if (count > SINGLE_PER_HOST || this.#single >= SINGLE_IN_ALL) {
      this.#suppressed += 1;
      return;
    }
    this.#single += 1;
    this.#write({ kind: 'authentication.failed', actor: 'unknown', request, data: { reason, host } });
  }

  /** Closes the window when its minute is over; called at each failure, by a timer, and at shutdown. */
  tick(force = false): void {
    if (!force && this.#clock.monotonic() - this.#windowStart < WINDOW_MS) return;
    if (this.#suppressed > 0) {
      this.#write({
        kind: 'authentication.failures-summed',
        actor: 'unknown',
        data: { count: this.#suppressed, hosts: this.#perHost.size },
      });
    }
    this.#windowStart = this.#clock.monotonic();
    this.#single = 0;
    this.#suppressed = 0;
    this.#perHost = new Map();
  }

  #write(entry: Parameters<Ledger['commit']>[0]['entry']): void {
    this.#ledger.commit({ entry }).catch(() => undefined);
  }
}
