import type { Scheduler } from '../../src/client/scheduler.ts';
import type { Clock } from '../../src/core/clock.ts';

interface Due {
  readonly at: number;
  readonly task: () => void;
}

/** Clock and timers that move only when a test says so. */
export class TestTime implements Clock, Scheduler {
  #wall: number;
  #monotonic = 1_000;
  readonly #due = new Set<Due>();

  constructor(wall = Date.now()) {
    this.#wall = wall;
  }

  now(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  after(ms: number, task: () => void): () => void {
    const due = { at: this.#monotonic + ms, task };
    this.#due.add(due);
    return () => void this.#due.delete(due);
  }

  /** Milliseconds until each timer that is set, soonest first. */
  get pending(): number[] {
    return [...this.#due].map(({ at }) => at - this.#monotonic).sort((a, b) => a - b);
  }

  /** Both clocks move; timers that fall due run in order, at their time. */
  advance(ms: number): void {
    const end = this.#monotonic + ms;
    for (;;) {
      const next = [...this.#due].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#due.delete(next);
      this.#move(Math.max(0, next.at - this.#monotonic));
      next.task();
    }
    this.#move(end - this.#monotonic);
  }

  /** The wall clock is set to another time, or the machine slept. */
  jumpWall(ms: number): void {
    this.#wall += ms;
  }

  #move(ms: number): void {
    this.#wall += ms;
    this.#monotonic += ms;
  }
}
