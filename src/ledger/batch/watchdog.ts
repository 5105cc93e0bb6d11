import type { Clock } from '../../core/clock.ts';

/** A timer later than this says that this thread slept (suspended, starved), and proves nothing about the disk. */
const LATE_MS = 50;
/** What an answer that came in while this thread slept is given to be read. */
const GRACE_MS = 100;

/** Barks when what was started is not done in time. */
export class Watchdog {
  readonly #limitMs: number;
  readonly #bark: () => void;
  readonly #monotonic: Clock['monotonic'];
  #timer: NodeJS.Timeout | undefined;

  constructor(limitMs: number, bark: () => void, monotonic: Clock['monotonic'] = () => performance.now()) {
    this.#limitMs = limitMs;
    this.#bark = bark;
    this.#monotonic = monotonic;
  }

  start(): void {
    this.stop();
    this.#arm(this.#limitMs, true);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #arm(delayMs: number, mayWait: boolean): void {
    const due = this.#monotonic() + delayMs;
    this.#timer = setTimeout(() => {
      if (mayWait && this.#monotonic() - due > LATE_MS) this.#arm(GRACE_MS, false);
      else this.#bark();
    }, delayMs);
  }
}
