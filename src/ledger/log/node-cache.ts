/** Of 32 octets each; with the map's own cost about 3 MB. */
const KEPT_NODES = 16_384;

/** No tree of ours has 2^45 nodes on one level, so level and index fit into one exact number. */
const LEVEL_STEP = 2 ** 45;

/** Hashes of tree nodes, the least recently used dropped first. Complete subtrees never change, so none goes stale. */
export class NodeCache {
  readonly #nodes = new Map<number, Buffer>();
  readonly #limit: number;

  constructor(limit: number = KEPT_NODES) {
    this.#limit = limit;
  }

  get(level: number, index: number): Buffer | undefined {
    const key = level * LEVEL_STEP + index;
    const hash = this.#nodes.get(key);
    if (hash === undefined) return undefined;
    this.#nodes.delete(key);
    this.#nodes.set(key, hash);
    return hash;
  }

  put(level: number, index: number, hash: Buffer): void {
    const key = level * LEVEL_STEP + index;
    this.#nodes.delete(key);
    this.#nodes.set(key, hash);
    if (this.#nodes.size > this.#limit) this.#nodes.delete(this.#nodes.keys().next().value ?? key);
  }

  get size(): number {
    return this.#nodes.size;
  }
}
