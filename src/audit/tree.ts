import { KeyturnError } from '../core/errors.ts';
import { EMPTY_ROOT, HASH_BYTES, nodeHash } from './merkle.ts';

/** Where the hashes of complete subtrees are read from: a table, an array, a cache. */
export interface TreeNodes {
  /** Hash of the complete subtree over the leaves [index · 2^level, (index + 1) · 2^level). Level 0 is a leaf hash. */
  node(level: number, index: number): Buffer;
  /** Hashes of ranges that are no complete subtree, by their first leaf, for proofs at one size of the tree. */
  readonly ragged?: Map<number, Buffer>;
}

/** For many proofs at one size of the tree: what lies along its right edge is hashed once. */
export function atOneSize(nodes: TreeNodes): TreeNodes {
  return { node: (level, index) => nodes.node(level, index), ragged: new Map() };
}

/** A complete subtree, named as in {@link TreeNodes}. */
export interface TreeNode {
  readonly level: number;
  readonly index: number;
  readonly hash: Buffer;
}

/**
 * The right edge of an append-only tree: the roots of its complete subtrees, largest first. That is all it takes to
 * append and to name the root (RFC 9162 section 2.1.2), at most 53 hashes for any size.
 */
export class TreeFrontier {
  #size: number;
  readonly #hashes: Buffer[];

  private constructor(size: number, hashes: Buffer[]) {
    this.#size = size;
    this.#hashes = hashes;
  }

  static empty(): TreeFrontier {
    return new TreeFrontier(0, []);
  }

  /**
   * From what `size` and `hashes()` once returned. The hashes are taken at their word: compare `root()` with a
   * checkpoint before trusting them.
   * @throws KeyturnError `ledger_corrupt` when there are not exactly as many hashes as `size` has one bits.
   */
  static restore(size: number, hashes: readonly Buffer[]): TreeFrontier {
    const fits = Number.isSafeInteger(size) && size >= 0 && hashes.length === oneBits(size);
    if (!fits || hashes.some((hash) => hash.length !== HASH_BYTES)) {
      throw new KeyturnError('ledger_corrupt', `${hashes.length} hashes cannot be the right edge of this tree.`);
    }
    return new TreeFrontier(size, [...hashes]);
  }

  /** Leaves in the tree. */
  get size(): number {
    return this.#size;
  }

  root(): Buffer {
    const smallestFirst = this.#hashes.toReversed();
    const [first, ...rest] = smallestFirst;
    if (first === undefined) return Buffer.from(EMPTY_ROOT);
    return rest.reduce((right, left) => nodeHash(left, right), first);
  }

  /** Adds a leaf; returns every subtree that it completes, the leaf itself (level 0) first. */
  append(leafHash: Buffer): TreeNode[] {
    const completed: TreeNode[] = [{ level: 0, index: this.#size, hash: leafHash }];
    let node = completed[0]!;
    // Each one bit at the low end of the size is a complete subtree that waits for its right sibling.
    while (node.index % 2 === 1) {
      node = { level: node.level + 1, index: (node.index - 1) / 2, hash: nodeHash(this.#hashes.pop()!, node.hash) };
      completed.push(node);
    }
    this.#hashes.push(node.hash);
    this.#size += 1;
    return completed;
  }

  /** Roots of the complete subtrees, largest first: what {@link TreeFrontier.restore} takes. */
  hashes(): Buffer[] {
    return [...this.#hashes];
  }

  clone(): TreeFrontier {
    return new TreeFrontier(this.#size, [...this.#hashes]);
  }
}

/**
 * RFC 9162 section 2.1.3.1: PATH(index, D_size), leaf to root. Reads at most two nodes a level.
 * @throws KeyturnError `invalid_input` unless 0 <= index < size.
 */
export function inclusionPath(nodes: TreeNodes, index: number, size: number): Buffer[] {
  assertRange(index, size - 1);
  const path: Buffer[] = [];
  let [start, end] = [0, size];
  while (end - start > 1) {
    const split = start + largestPowerBelow(end - start);
    if (index < split) {
      path.push(rangeHash(nodes, split, end));
      end = split;
    } else {
      path.push(rangeHash(nodes, start, split));
      start = split;
    }
  }
  return path.reverse();
}

/**
 * RFC 9162 section 2.1.4.1: PROOF(from, D_to), empty when `from` is 0 or equal to `to`.
 * @throws KeyturnError `invalid_input` unless 0 <= from <= to.
 */
export function consistencyPath(nodes: TreeNodes, from: number, to: number): Buffer[] {
  assertRange(from, to);
  if (from === 0 || from === to) return [];
  const path: Buffer[] = [];
  let [start, end] = [0, to];
  // SUBPROOF: go down to the subtree that ends where the old tree ended.
  while (from !== end) {
    const split = start + largestPowerBelow(end - start);
    if (from <= split) {
      path.push(rangeHash(nodes, split, end));
      end = split;
    } else {
      path.push(rangeHash(nodes, start, split));
      start = split;
    }
  }
  // The old root itself is known to the verifier; any other last subtree is part of the proof.
  if (start !== 0) path.push(rangeHash(nodes, start, end));
  return path.reverse();
}

/** MTH over the leaves [start, end), where `start` is a multiple of the smallest power of two that holds them. */
function rangeHash(nodes: TreeNodes, start: number, end: number): Buffer {
  const size = end - start;
  const below = size === 1 ? 1 : largestPowerBelow(size);
  if (size === 1 || below * 2 === size) return nodes.node(levelOf(size), start / size);
  // Such a range ends where the tree ends, so that its start names it.
  const known = nodes.ragged?.get(start);
  if (known !== undefined) return known;
  const hash = nodeHash(rangeHash(nodes, start, start + below), rangeHash(nodes, start + below, end));
  nodes.ragged?.set(start, hash);
  return hash;
}

/** The largest power of two smaller than `n`, for n >= 2. By doubling: shifts would cut sizes to 32 bits. */
function largestPowerBelow(n: number): number {
  let power = 1;
  while (power * 2 < n) power *= 2;
  return power;
}

/** Of a subtree with `size` leaves, a power of two. */
function levelOf(size: number): number {
  return size < 2 ** 31 ? 31 - Math.clz32(size) : Math.log2(size);
}

function oneBits(value: number): number {
  let count = 0;
  for (let rest = value; rest > 0; rest = Math.floor(rest / 2)) count += rest % 2;
  return count;
}

function assertRange(value: number, max: number): void {
  if (Number.isSafeInteger(value) && Number.isSafeInteger(max) && value >= 0 && value <= max) return;
  throw new KeyturnError('invalid_input', 'There is no proof for this place in a tree of this size.');
}
