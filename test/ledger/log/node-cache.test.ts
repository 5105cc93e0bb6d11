import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NodeCache } from '../../../src/ledger/log/node-cache.ts';

const hashOf = (level: number, index: number): Buffer => Buffer.alloc(32, `${level}/${index};`);

test('gives what was put, whatever else was put since, or nothing', () => {
  const node = fc.record({ level: fc.integer({ min: 0, max: 44 }), index: fc.integer({ min: 0, max: 2 ** 40 }) });
  fc.assert(
    fc.property(fc.array(node, { maxLength: 60 }), (nodes) => {
      const cache = new NodeCache(16);
      for (const { level, index } of nodes) {
        cache.put(level, index, hashOf(level, index));
        expect(cache.get(level, index)).toEqual(hashOf(level, index));
      }
      expect(cache.size).toBeLessThanOrEqual(16);
      for (const { level, index } of nodes) {
        expect([undefined, hashOf(level, index).toString('hex')]).toContain(cache.get(level, index)?.toString('hex'));
      }
    }),
  );
});

test('keeps as many as it may, the ones put last; high nodes do not make room for low ones', () => {
  const cache = new NodeCache(8);
  cache.put(20, 0, hashOf(20, 0));
  for (let index = 0; index < 9; index += 1) cache.put(0, index, hashOf(0, index));
  const kept = Array.from({ length: 9 }, (_, index) => cache.get(0, index) !== undefined);
  expect(kept).toEqual([false, false, false, false, false, true, true, true, true]);
  expect(cache.get(20, 0)).toEqual(hashOf(20, 0));
  expect(cache.size).toBe(5);
});

test('what was given does not change when its place is taken', () => {
  const cache = new NodeCache(2);
  cache.put(0, 1, hashOf(0, 1));
  const given = cache.get(0, 1);
  cache.put(0, 2, hashOf(0, 2));
  expect(given).toEqual(hashOf(0, 1));
});
