import { describe, expect, test } from 'vitest';
import { EMPTY_ROOT, leafHash, nodeHash, verifyConsistency, verifyInclusion } from '../../src/audit/merkle.ts';
import { atOneSize, consistencyPath, inclusionPath, TreeFrontier, type TreeNodes } from '../../src/audit/tree.ts';
import { codeOf } from './log.ts';
import { leavesOf, referencePath, referenceProof, referenceRoot } from './reference-tree.ts';

const MOST = 64;
const LEAVES = leavesOf(MOST);

/** Reads complete subtrees alone: a wrong level or index is an error. */
const nodes: TreeNodes = {
  node(level, index) {
    const width = 2 ** level;
    const covered = LEAVES.slice(index * width, (index + 1) * width);
    expect(covered.length).toBe(width);
    return referenceRoot(covered);
  },
};

describe('the frontier', () => {
  test('has the reference root at every size', () => {
    const frontier = TreeFrontier.empty();
    expect(frontier.root()).toEqual(EMPTY_ROOT);
    for (const [index, leaf] of LEAVES.entries()) {
      frontier.append(leafHash(leaf));
      expect(frontier.size).toBe(index + 1);
      expect(frontier.root()).toEqual(referenceRoot(LEAVES.slice(0, index + 1)));
    }
  });

  test('names every subtree that an append completes, each once', () => {
    const frontier = TreeFrontier.empty();
    const named = LEAVES.flatMap((leaf) => frontier.append(leafHash(leaf)));
    expect(named.length).toBe(2 * MOST - 1);
    expect(new Set(named.map(({ level, index }) => `${level}/${index}`)).size).toBe(named.length);
    for (const { level, index, hash } of named) expect(hash).toEqual(nodes.node(level, index));
  });

  test('goes on after a restore as if nothing had happened', () => {
    const whole = TreeFrontier.empty();
    for (const leaf of LEAVES) {
      const restored = TreeFrontier.restore(whole.size, whole.hashes());
      expect(restored.append(leafHash(leaf))).toEqual(whole.append(leafHash(leaf)));
      expect(restored.root()).toEqual(whole.root());
    }
  });

  test('a clone and the list of hashes do not share anything with it', () => {
    const frontier = TreeFrontier.empty();
    frontier.append(leafHash(LEAVES[0]!));
    const before = frontier.root();
    frontier.clone().append(leafHash(LEAVES[1]!));
    frontier.hashes().pop();
    expect(frontier.root()).toEqual(before);
    expect(frontier.size).toBe(1);
  });

  test.each([
    [3, 1],
    [0, 1],
    [-1, 0],
    [1.5, 1],
    [2 ** 53, 1],
  ])('cannot be restored at size %d from %d hashes', (size, count) => {
    const hashes = Array.from({ length: count }, () => Buffer.alloc(32));
    expect(codeOf(() => TreeFrontier.restore(size, hashes))).toBe('ledger_corrupt');
  });

  test('cannot be restored from a hash of another length', () => {
    expect(codeOf(() => TreeFrontier.restore(1, [Buffer.alloc(31)]))).toBe('ledger_corrupt');
  });
});

describe('the proofs', () => {
  test('are those of the reference, for every index and every pair of sizes', () => {
    for (let size = 1; size <= MOST; size += 1) {
      const leaves = LEAVES.slice(0, size);
      for (let index = 0; index < size; index += 1) {
        expect(inclusionPath(nodes, index, size)).toEqual(referencePath(index, leaves));
      }
      for (let from = 0; from <= size; from += 1) {
        expect(consistencyPath(nodes, from, size)).toEqual(referenceProof(from, leaves));
      }
    }
  });

  test('are the same when all of one size are made together', () => {
    for (let size = 1; size <= MOST; size += 1) {
      const together = atOneSize(nodes);
      for (let place = 0; place < size; place += 1) {
        expect(inclusionPath(together, place, size)).toEqual(inclusionPath(nodes, place, size));
        expect(consistencyPath(together, place, size)).toEqual(consistencyPath(nodes, place, size));
      }
    }
  });

  test('a place outside the tree has none', () => {
    expect(codeOf(() => inclusionPath(nodes, 5, 5))).toBe('invalid_input');
    expect(codeOf(() => inclusionPath(nodes, 0, 0))).toBe('invalid_input');
    expect(codeOf(() => inclusionPath(nodes, -1, 5))).toBe('invalid_input');
    expect(codeOf(() => consistencyPath(nodes, 6, 5))).toBe('invalid_input');
    expect(codeOf(() => consistencyPath(nodes, 0.5, 5))).toBe('invalid_input');
  });
});

describe('trees beyond 32 bits', () => {
  // All leaves are the same, so a subtree's hash depends on its level alone.
  const byLevel = [leafHash(Buffer.from('same'))];
  for (let level = 1; level <= 52; level += 1) byLevel.push(nodeHash(byLevel[level - 1]!, byLevel[level - 1]!));
  const same: TreeNodes = {
    node(level, index) {
      expect(Number.isSafeInteger(level) && Number.isSafeInteger(index)).toBe(true);
      return byLevel[level]!;
    },
  };
  const frontierOf = (size: number) => {
    const bits = size
      .toString(2)
      .split('')
      .flatMap((bit, at, all) => (bit === '1' ? [all.length - 1 - at] : []));
    return TreeFrontier.restore(
      size,
      bits.map((level) => byLevel[level]!),
    );
  };
  const sizes = [2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 40 + 12_345, 2 ** 52 + 7];

  test.each(sizes)('inclusion and consistency hold at size %d', (size) => {
    const root = frontierOf(size).root();
    for (const index of [0, 1, size - 1, size - 2, Math.floor(size / 3)]) {
      const path = inclusionPath(same, index, size);
      expect(verifyInclusion({ index, size, leafHash: byLevel[0]!, root, path })).toBe(true);
    }
    for (const from of [1, 2, 3, size - 1, Math.floor(size / 3)]) {
      const path = consistencyPath(same, from, size);
      const claim = { from, to: size, fromRoot: frontierOf(from).root(), toRoot: root, path };
      expect(verifyConsistency(claim)).toBe(true);
    }
  });

  test.each(sizes)('an append at size %d numbers what it completes', (size) => {
    const completed = frontierOf(size).append(byLevel[0]!);
    expect(completed[0]).toMatchObject({ level: 0, index: size });
    for (const { level, index } of completed) expect(index).toBe(Math.floor(size / 2 ** level));
  });
});
