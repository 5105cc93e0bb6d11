import type { EntryRange } from '../ledger.ts';

interface Follower {
  /** What it has been told of, exclusive. */
  at: number;
  readonly listener: (range: EntryRange) => void;
}

/** Those who want to hear of entries, each from its own place on and without a gap. */
export class Followers {
  readonly #all = new Set<Follower>();
  #size: number;

  /** `size` of the tree as it is known to be durable. */
  constructor(size: number) {
    this.#size = size;
  }

  /** The largest that this process has heard of. */
  get size(): number {
    return this.#size;
  }

  /** What is there already is told in the next turn. */
  follow(from: number, listener: (range: EntryRange) => void): () => void {
    const follower: Follower = { at: from, listener };
    this.#all.add(follower);
    queueMicrotask(() => this.#tell(follower));
    return () => this.#all.delete(follower);
  }

  /** The tree is durable up to this size; a smaller one than before is old news. */
  advance(size: number): void {
    if (size <= this.#size) return;
    this.#size = size;
    for (const follower of this.#all) this.#tell(follower);
  }

  #tell(follower: Follower): void {
    const range = { from: follower.at, to: this.#size };
    if (range.to <= range.from || !this.#all.has(follower)) return;
    follower.at = range.to;
    follower.listener(range);
  }
}
