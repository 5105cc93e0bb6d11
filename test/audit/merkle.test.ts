import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type ConsistencyClaim,
  EMPTY_ROOT,
  type InclusionClaim,
  leafHash,
  nodeHash,
  verifyConsistency,
  verifyInclusion,
} from '../../src/audit/merkle.ts';
import { leavesOf, referencePath, referenceProof, referenceRoot } from './reference-tree.ts';

const MOST = 64;
const LEAVES = leavesOf(MOST);
const ROOTS = Array.from({ length: MOST + 1 }, (_, size) => referenceRoot(LEAVES.slice(0, size)));

function inclusionOf(index: number, size: number): InclusionClaim {
  const path = referencePath(index, LEAVES.slice(0, size));
  return { index, size, leafHash: leafHash(LEAVES[index]!), root: ROOTS[size]!, path };
}

function consistencyOf(from: number, to: number): ConsistencyClaim {
  return { from, to, fromRoot: ROOTS[from]!, toRoot: ROOTS[to]!, path: referenceProof(from, LEAVES.slice(0, to)) };
}

function flipped(hash: Buffer): Buffer {
  const copy = Buffer.from(hash);
  copy[7]! ^= 0x10;
  return copy;
}

/** Every path that differs from this one by one element: changed, dropped, added, or one pair swapped. */
function otherPaths(path: readonly Buffer[]): Buffer[][] {
  const changed = path.map((hash, at) => path.with(at, flipped(hash)));
  const dropped = path.map((_, at) => path.toSpliced(at, 1));
  const added = [...path, null].map((_, at) => path.toSpliced(at, 0, leafHash(Buffer.from('added'))));
  const doubled = path.map((hash, at) => path.toSpliced(at, 0, hash));
  const swapped = path.slice(1).map((hash, at) => path.with(at, hash).with(at + 1, path[at]!));
  return [...changed, ...dropped, ...added, ...doubled, ...swapped];
}

test('the hashes are those of RFC 6962: published roots of its eight-leaf example', () => {
  // Leaves and roots of the reference test data of certificate-transparency (merkletree tests).
  const leaves = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
  const hashes = leaves.map((hex) => leafHash(Buffer.from(hex, 'hex')));
  expect(EMPTY_ROOT.toString('hex')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  expect(hashes[0]!.toString('hex')).toBe('6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d');
  const [a, b, c, d, e, f, g, h] = hashes as [Buffer, Buffer, Buffer, Buffer, Buffer, Buffer, Buffer, Buffer];
  const root = nodeHash(nodeHash(nodeHash(a, b), nodeHash(c, d)), nodeHash(nodeHash(e, f), nodeHash(g, h)));
  expect(root.toString('hex')).toBe('5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328');
});

describe(`every tree of at most ${MOST} leaves`, () => {
  test('every inclusion proof of the reference is accepted, and no leaf at another index', () => {
    for (let size = 1; size <= MOST; size += 1) {
      for (let index = 0; index < size; index += 1) {
        const claim = inclusionOf(index, size);
        expect(verifyInclusion(claim)).toBe(true);
        for (let other = 0; other <= size; other += 1) {
          if (other !== index) expect(verifyInclusion({ ...claim, index: other })).toBe(false);
        }
      }
    }
  });

  test('every consistency proof of the reference is accepted', () => {
    for (let to = 0; to <= MOST; to += 1) {
      for (let from = 0; from <= to; from += 1) expect(verifyConsistency(consistencyOf(from, to))).toBe(true);
    }
  });

  test('a mutated inclusion proof is refused', () => {
    for (let size = 1; size <= MOST; size += 3) {
      for (let index = 0; index < size; index += 1) {
        const claim = inclusionOf(index, size);
        for (const path of otherPaths(claim.path)) expect(verifyInclusion({ ...claim, path })).toBe(false);
        expect(verifyInclusion({ ...claim, root: flipped(claim.root) })).toBe(false);
        expect(verifyInclusion({ ...claim, leafHash: flipped(claim.leafHash) })).toBe(false);
      }
    }
  });

  test('a mutated consistency proof is refused', () => {
    for (let to = 1; to <= MOST; to += 1) {
      for (let from = 0; from <= to; from += 1) {
        const claim = consistencyOf(from, to);
        for (const path of otherPaths(claim.path)) expect(verifyConsistency({ ...claim, path })).toBe(false);
        expect(verifyConsistency({ ...claim, fromRoot: flipped(claim.fromRoot) })).toBe(false);
        // Every tree continues the empty one, so from size 0 no larger root can be wrong.
        if (from > 0) expect(verifyConsistency({ ...claim, toRoot: flipped(claim.toRoot) })).toBe(false);
      }
    }
  });

  test('a consistency proof between other sizes than it was made for is refused', () => {
    for (let to = 2; to <= MOST; to += 1) {
      for (let from = 1; from < to; from += 1) {
        const claim = consistencyOf(from, to);
        expect(verifyConsistency({ ...claim, from: from - 1 })).toBe(false);
        expect(verifyConsistency({ ...claim, from: to })).toBe(false);
        expect(verifyConsistency({ ...claim, from: to, to: from })).toBe(false);
      }
    }
  });
});

test('a size that the shape of the path contradicts is refused', () => {
  // Sizes with the same shape of path are told apart by the signed root, never by the path.
  for (const size of [0, 1, 2, 3, 4, 16, 33, 64]) expect(verifyInclusion({ ...inclusionOf(4, 8), size })).toBe(false);
});

test('two halves of a forged pair of trees are not consistent', () => {
  const others = leavesOf(20).with(3, Buffer.from('another'));
  const claim = { ...consistencyOf(7, 20), toRoot: referenceRoot(others), path: referenceProof(7, others) };
  expect(verifyConsistency(claim)).toBe(false);
});

test.each([Number.NaN, -1, 0.5, 2 ** 53, Infinity])('%s is no index and no size', (bad) => {
  const inclusion = inclusionOf(2, 5);
  const consistency = consistencyOf(2, 5);
  expect(verifyInclusion({ ...inclusion, index: bad })).toBe(false);
  expect(verifyInclusion({ ...inclusion, size: bad })).toBe(false);
  expect(verifyConsistency({ ...consistency, from: bad })).toBe(false);
  expect(verifyConsistency({ ...consistency, to: bad })).toBe(false);
});

test('a hash of another length is refused', () => {
  const claim = inclusionOf(2, 5);
  expect(verifyInclusion({ ...claim, path: claim.path.with(0, Buffer.alloc(31)) })).toBe(false);
  expect(verifyInclusion({ ...claim, root: Buffer.alloc(0) })).toBe(false);
  expect(verifyConsistency({ ...consistencyOf(2, 5), fromRoot: Buffer.alloc(33) })).toBe(false);
});

test('a proof that is longer than any tree needs is refused before one of its hashes is read', () => {
  let read = 0;
  const hashes = Array.from({ length: 100_000 }, () => Buffer.alloc(32));
  const path = new Proxy(hashes, {
    get(target, name, receiver): unknown {
      if (typeof name === 'string' && /^[0-9]+$/.test(name)) read += 1;
      return Reflect.get(target, name, receiver);
    },
  });
  expect(verifyInclusion({ ...inclusionOf(2, 5), size: Number.MAX_SAFE_INTEGER, path })).toBe(false);
  expect(verifyConsistency({ ...consistencyOf(2, 5), to: Number.MAX_SAFE_INTEGER, path })).toBe(false);
  expect(read).toBe(0);
});

test('made-up proofs are refused', () => {
  const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((octets) => Buffer.from(octets));
  const made = fc.record({ index: fc.nat(100), size: fc.nat(100), leafHash: hash, root: hash, path: fc.array(hash) });
  fc.assert(fc.property(made, (claim) => !verifyInclusion(claim) || claim.leafHash.equals(claim.root)));
});
