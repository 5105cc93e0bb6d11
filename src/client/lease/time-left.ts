import type { Clock } from '../../core/clock.ts';

/** One instant on both clocks, in milliseconds. */
export interface Instant {
  readonly wall: number;
  readonly monotonic: number;
}

export function instant(clock: Clock): Instant {
  return { wall: clock.now(), monotonic: clock.monotonic() };
}

/**
 * How long a lease still lasts. Counted from before the request for it was sent, so that the time the answer took is
 * never added; and by whichever clock says less. The monotonic one withstands a wall clock set back, the wall clock
 * a machine that slept while its monotonic clock stood still.
 */
export class TimeLeft {
  readonly #clock: Clock;
  readonly #end: Instant;
  /** When it ends by the wall clock of this process, milliseconds since the epoch. */
  readonly endsAt: number;
  /** Milliseconds it had when it was asked for. */
  readonly whole: number;

  constructor(clock: Clock, asked: Instant, secondsLeft: number) {
    this.#clock = clock;
    this.whole = secondsLeft * 1_000;
    this.endsAt = asked.wall + this.whole;
    this.#end = { wall: this.endsAt, monotonic: asked.monotonic + this.whole };
  }

  /** Milliseconds; zero or less when it is over. */
  left(): number {
    return Math.min(this.#end.wall - this.#clock.now(), this.#end.monotonic - this.#clock.monotonic());
  }

  over(): boolean {
    return this.#clock.now() >= this.#end.wall || this.#clock.monotonic() >= this.#end.monotonic;
  }
}
