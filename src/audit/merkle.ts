import { hash } from 'node:crypto';

/** Octets of every hash in the tree (SHA-256). */
export const HASH_BYTES = 32;

/**
 * Longest proof that is looked at: a tree of fewer than 2^53 leaves needs 53 hashes for inclusion and 54 for
 * consistency. Longer ones are refused before anything is hashed.
 */
const MAX_PATH = 54;

const LEAF_PREFIX = 0x00;
const NODE_PREFIX = 0x01;

/** Root of the tree without leaves: SHA-256 of nothing (RFC 9162 section 2.1.1). Shared: never write to it. */
export const EMPTY_ROOT: Buffer = hash('sha256', '', 'buffer');

/** RFC 9162 section 2.1.1: SHA-256(0x00 || leaf), 32 octets. */
export function leafHash(leaf: Uint8Array): Buffer {
  const input = Buffer.allocUnsafe(1 + leaf.length);
  input[0] = LEAF_PREFIX;
  input.set(leaf, 1);
  return hash('sha256', input, 'buffer');
}

/** RFC 9162 section 2.1.1: SHA-256(0x01 || left || right), 32 octets. Both are hashes of 32 octets. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  const input = Buffer.allocUnsafe(1 + 2 * HASH_BYTES);
  input[0] = NODE_PREFIX;
  input.set(left, 1);
  input.set(right, 1 + HASH_BYTES);
  return hash('sha256', input, 'buffer');
}

export interface InclusionClaim {
  /** Zero-based leaf index. */
  readonly index: number;
  /** Leaves in the tree. */
  readonly size: number;
  readonly leafHash: Buffer;
  readonly root: Buffer;
  /** Leaf to root. */
  readonly path: readonly Buffer[];
}

/**
 * True if the path proves that the leaf stands at `index` of the tree with this size and root. Every field may be
 * attacker-controlled: false, never an error, for whatever does not prove it.
 */
export function verifyInclusion(claim: InclusionClaim): boolean {
  const { index, size, path } = claim;
  if (!isCount(index) || !isCount(size) || index >= size) return false;
  if (!areHashes(path) || !isHash(claim.leafHash) || !isHash(claim.root)) return false;
  // RFC 9162 section 2.1.3.2; fn and sn are halved, not shifted: a shift would cut them to 32 bits.
  let fn = index;
  let sn = size - 1;
  let computed = claim.leafHash;
  for (const step of path) {
    if (sn === 0) return false;
    if (isOdd(fn) || fn === sn) {
      computed = nodeHash(step, computed);
      while (!isOdd(fn) && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else {
      computed = nodeHash(computed, step);
    }
    [fn, sn] = [half(fn), half(sn)];
  }
  return sn === 0 && computed.equals(claim.root);
}

export interface ConsistencyClaim {
  readonly from: number;
  readonly to: number;
  readonly fromRoot: Buffer;
  readonly toRoot: Buffer;
  readonly path: readonly Buffer[];
}

/**
 * True if the path proves that the tree of size `from` is the beginning of the tree of size `to`. From size 0, and
 * from a size to itself, the only proof is the empty path. Attacker-controlled input: false, never an error.
 */
export function verifyConsistency(claim: ConsistencyClaim): boolean {
  const { from, to, fromRoot, toRoot, path } = claim;
  if (!isCount(from) || !isCount(to) || from > to) return false;
  if (!areHashes(path) || !isHash(fromRoot) || !isHash(toRoot)) return false;
  if (from === to) return path.length === 0 && fromRoot.equals(toRoot);
  if (from === 0) return path.length === 0 && fromRoot.equals(EMPTY_ROOT);
  if (path.length === 0) return false;
  return leadsToBothRoots(claim);
}

/** RFC 9162 section 2.1.4.2, for 0 < from < to and a path that is not empty. */
function leadsToBothRoots({ from, to, fromRoot, toRoot, path }: ConsistencyClaim): boolean {
  let fn = from - 1;
  let sn = to - 1;
  while (isOdd(fn)) [fn, sn] = [half(fn), half(sn)];
  // Step 2: when `from` is a power of two its root is a node of the larger tree, and is left out of the path.
  const start = fn === 0 ? fromRoot : path[0]!;
  let oldRoot = start;
  let newRoot = start;
  for (const step of fn === 0 ? path : path.slice(1)) {
    if (sn === 0) return false;
    if (isOdd(fn) || fn === sn) {
      oldRoot = nodeHash(step, oldRoot);
      newRoot = nodeHash(step, newRoot);
      while (!isOdd(fn) && fn !== 0) [fn, sn] = [half(fn), half(sn)];
    } else {
      newRoot = nodeHash(newRoot, step);
    }
    [fn, sn] = [half(fn), half(sn)];
  }
  return sn === 0 && oldRoot.equals(fromRoot) && newRoot.equals(toRoot);
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function isHash(value: Buffer): boolean {
  return Buffer.isBuffer(value) && value.length === HASH_BYTES;
}

function areHashes(path: readonly Buffer[]): boolean {
  return Array.isArray(path) && path.length <= MAX_PATH && path.every(isHash);
}

function isOdd(value: number): boolean {
  return value % 2 === 1;
}

function half(value: number): number {
  return Math.floor(value / 2);
}
