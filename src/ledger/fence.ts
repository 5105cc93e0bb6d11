import type { Check } from './change.ts';

/**
 * Work that only one replica may do at a time. While one is inside, no other is. If it loses its connection to the
 * database another may come in; then the first one's commits with `checks` fail by the rule `fenced-off`, and those
 * that were committed before were seen by the second from its start.
 */
export interface Fence {
  readonly checks: readonly Check[];
}

/** `wait` for whoever is inside, or leave at once: `try`. */
export type FenceMode = 'wait' | 'try';

export type Fenced<T> = { readonly ran: true; readonly value: T } | { readonly ran: false };

/** Fences where one process alone writes: turns within it, and nobody who could come in behind. */
export class LocalFences {
  readonly #tails = new Map<string, Promise<void>>();

  async run<T>(names: readonly string[], mode: FenceMode, work: (fence: Fence) => Promise<T>): Promise<Fenced<T>> {
    if (mode === 'try' && names.some((name) => this.#tails.has(name))) return { ran: false };
    const before = names.map((name) => this.#tails.get(name) ?? Promise.resolve());
    const { promise: over, resolve } = Promise.withResolvers<void>();
    // All are taken in one step, so that no two wait for each other.
    for (const name of names) this.#tails.set(name, over);
    try {
      await Promise.all(before);
      return { ran: true, value: await work({ checks: [] }) };
    } finally {
      for (const name of names) if (this.#tails.get(name) === over) this.#tails.delete(name);
      resolve();
    }
  }
}
