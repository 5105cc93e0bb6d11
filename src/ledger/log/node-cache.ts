/** Of 32 octets each; with the map's own cost about 3 MB together. */
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
  readonly #low = new Map<number, Buffer>();
  readonly #high = new Map<number, Buffer>();
  readonly #limit: number;

  constructor(limit: number = KEPT_NODES) {
    this.#limit = limit / 2;
  }

  get(level: number, index: number): Buffer | undefined {
    return this.#tier(level).get(level * LEVEL_STEP + index);
  }

  put(level: number, index: number, hash: Buffer): void {
    const tier = this.#tier(level);
    tier.set(level * LEVEL_STEP + index, hash);
    if (tier.size <= this.#limit) return;
    for (const oldest of tier.keys()) {
      tier.delete(oldest);
      return;
    }
  }

  get size(): number {
    return this.#low.size + this.#high.size;
  }

  #tier(level: number): Map<number, Buffer> {
    return level < HIGH_LEVEL ? this.#low : this.#high;
  }
}
