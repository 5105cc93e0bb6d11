import { HASH_BYTES } from '../../audit/merkle.ts';

/** Of 32 octets each; with what finds them about 2 MB together. */
const KEPT_NODES = 16_384;

/** From here on a node stands for so many leaves that all of a large tree's fit: they are in every proof. */
const HIGH_LEVEL = 10;

/** No tree of ours has 2^45 nodes on one level, so level and index fit into one exact number. */
const LEVEL_STEP = 2 ** 45;

/**
 * Hashes of tree nodes. Proofs go up from the newest leaves and over the high nodes of all the tree, so these are kept
 * apart, and in each the one kept longest goes first. Complete subtrees never change, so none goes stale.
 */
export class NodeCache {
  readonly #low: Tier;
  readonly #high: Tier;

  constructor(limit: number = KEPT_NODES) {
    this.#low = new Tier(limit / 2);
    this.#high = new Tier(limit / 2);
  }

  /** A copy. */
  get(level: number, index: number): Buffer | undefined {
    return this.#tier(level).get(level * LEVEL_STEP + index);
  }

  put(level: number, index: number, hash: Buffer): void {
    this.#tier(level).put(level * LEVEL_STEP + index, hash);
  }

  get size(): number {
    return this.#low.size + this.#high.size;
  }

  #tier(level: number): Tier {
    return level < HIGH_LEVEL ? this.#low : this.#high;
  }
}

/** Places for so many hashes in one piece of memory, filled in turn: as Buffers of their own they would take 5 MB. */
class Tier {
  readonly #limit: number;
  readonly #hashes: Buffer;
  /** What stands at each place. */
  readonly #keys: Float64Array;
  readonly #places = new Map<number, number>();
  #next = 0;

  constructor(limit: number) {
    this.#limit = limit;
    this.#hashes = Buffer.alloc(limit * HASH_BYTES);
    this.#keys = new Float64Array(limit);
  }

  get size(): number {
    return this.#places.size;
  }

  get(key: number): Buffer | undefined {
    const place = this.#places.get(key);
    if (place === undefined) return undefined;
    return Buffer.from(this.#hashes.subarray(place * HASH_BYTES, (place + 1) * HASH_BYTES));
  }

  put(key: number, hash: Buffer): void {
    hash.copy(this.#hashes, (this.#places.get(key) ?? this.#take(key)) * HASH_BYTES);
  }

  #take(key: number): number {
    const place = this.#next;
    this.#next = (place + 1) % this.#limit;
    if (this.#places.size === this.#limit) this.#places.delete(this.#keys[place] ?? Number.NaN);
    this.#keys[place] = key;
    this.#places.set(key, place);
    return place;
  }
}
