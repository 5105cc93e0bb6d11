import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { TreeHead } from '../../src/audit/checkpoint.ts';
import { type Receipt, verifyReceipt } from '../../src/audit/receipt.ts';
import { recordEntry } from '../../src/audit/recorded.ts';
import { codeOf, draft, MemoryLog, newSigner, START } from './log.ts';

const signer = newSigner();
const log = MemoryLog.ofBatches([3, 1, 5, 8, 2], signer);
const SIZE = log.entries.length;
const INDEX = 11;
const SEEN = 9;
const seen = log.headAt(SEEN);

function codeFor(receipt: Receipt, since: TreeHead | null = seen): string {
  return codeOf(() => verifyReceipt(receipt, log.verifier, since));
}

/** The log's own key over other entries from `from` on: what a holder of the key could show. */
function forkAt(from: number, size: number): MemoryLog {
  const fork = new MemoryLog(signer);
  for (let index = 0; index < from; index += 1) fork.add(log.entries[index]!);
  fork.batch(Array.from({ length: size - from }, (_, at) => ({ ...draft(from + at), actor: 'service:forged' })));
  return fork;
}

test('every entry is proven, from every size that a client may have seen', () => {
  for (let index = 0; index < SIZE; index += 1) {
    for (let from = 0; from <= SIZE; from += 1) {
      const proven = verifyReceipt(log.receipt(index, from), log.verifier, from === 0 ? null : log.headAt(from));
      const head = { ...log.headAt(SIZE), generation: 1, restart: null };
      expect(proven).toEqual({ entry: log.entries[index]!.entry, index, ...head });
    }
  }
});

test('to have seen the empty tree is to have seen nothing', () => {
  expect(verifyReceipt(log.receipt(INDEX, 0), log.verifier, log.headAt(0)).size).toBe(SIZE);
});

describe('a receipt is refused', () => {
  const good = log.receipt(INDEX, SEEN);
  const other = log.receipt(INDEX + 1, SEEN);
  const changed = recordEntry({ ...draft(INDEX), actor: 'service:other' }, INDEX, START).json;

  test.each([
    ['with another index', { index: INDEX + 1 }],
    ['with the entry of another receipt', { entry: other.entry }],
    ['with the valid proof of another entry', { entry: other.entry, index: other.index }],
    ['with a changed entry', { entry: changed }],
    ['with white space behind the entry', { entry: `${good.entry} ` }],
    ['with the inclusion path of another entry', { inclusion: other.inclusion }],
    ['with an inclusion path cut short', { inclusion: good.inclusion.slice(1) }],
    ['with an inclusion path of a hundred thousand hashes', { inclusion: Array(100_000).fill(good.inclusion[0]) }],
    ['with a hash that is no base64', { inclusion: good.inclusion.with(0, '*') }],
    ['with a hash that has a second text', { inclusion: good.inclusion.with(0, `${good.inclusion[0]}\n`) }],
    ['with a checkpoint that nobody signed', { checkpoint: good.checkpoint.split('\n\n')[0]! }],
    ['with a checkpoint of another key', { checkpoint: newSigner().sign(log.headAt(SIZE)) }],
  ])('%s', (_, part) => expect(codeFor({ ...good, ...part })).toBe('receipt_invalid'));

  test('without the consistency proof that was asked for', () => {
    const { consistency: _, ...rest } = good;
    expect(codeFor(rest)).toBe('receipt_invalid');
  });

  test('when its fields have other types than the shape says', () => {
    const wrong = fc.oneof(
      fc.constant(undefined),
      fc.constant(null),
      fc.integer(),
      fc.boolean(),
      fc.constant({}),
      fc.constant([1]),
    );
    const field = fc.constantFrom('index', 'entry', 'inclusion', 'checkpoint', 'consistency');
    fc.assert(
      fc.property(field, wrong, (name, value) => {
        fc.pre(!(name === 'index' && value === INDEX));
        return codeFor({ ...good, [name]: value } as unknown as Receipt) === 'receipt_invalid';
      }),
    );
    for (const value of [null, undefined, 1, 'text'])
      expect(codeFor(value as unknown as Receipt)).toBe('receipt_invalid');
  });
});

describe('a log that contradicts what was seen is forked', () => {
  test('when it has other entries before the size seen', () => {
    for (let from = 0; from < SEEN; from += 1) {
      expect(codeFor(forkAt(from, SIZE).receipt(INDEX, SEEN))).toBe('log_forked');
    }
  });

  test('but not when it differs only behind what this client has seen', () => {
    expect(verifyReceipt(forkAt(SEEN, SIZE).receipt(INDEX, SEEN), log.verifier, seen).size).toBe(SIZE);
  });

  test('when it shows another root at the size seen', () => {
    expect(codeFor(forkAt(3, SEEN).receipt(3, 0))).toBe('log_forked');
  });

  test('when it shows fewer entries than were seen, though it may be an older head of the same log', () => {
    const older = MemoryLog.ofBatches([SEEN - 1], signer);
    expect(codeFor(older.receipt(2, 0))).toBe('log_forked');
  });

  test('when its consistency proof does not lead from the size seen', () => {
    const good = log.receipt(INDEX, SEEN);
    for (let from = 1; from < SIZE; from += 1) {
      const { consistency } = log.receipt(INDEX, from);
      // A path for another size can be the very same hashes; then it proves the same.
      if (JSON.stringify(consistency!.path) === JSON.stringify(good.consistency!.path)) continue;
      expect(codeFor({ ...good, consistency: { from: SEEN, path: consistency!.path } })).toBe('log_forked');
    }
  });

  test('even when the entry is not proven either: the graver finding is told', () => {
    expect(codeFor({ ...forkAt(3, SIZE).receipt(INDEX, SEEN), inclusion: [] })).toBe('log_forked');
  });

  test('and the error names both sizes as facts', () => {
    try {
      verifyReceipt(forkAt(3, SIZE).receipt(INDEX, SEEN), log.verifier, seen);
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: 'log_forked', facts: { size: SIZE, seen: SEEN } });
    }
  });
});

test('a checkpoint that nobody signed is never a fork: a stranger cannot raise that alarm', () => {
  const forged = forkAt(3, SIZE).receipt(INDEX, SEEN);
  const stranger = newSigner().sign(forkAt(3, SIZE).headAt(SIZE));
  expect(codeFor({ ...forged, checkpoint: stranger })).toBe('receipt_invalid');
});

test('fields that nothing binds decide nothing', () => {
  const good = log.receipt(INDEX, SEEN);
  const outcome = verifyReceipt(good, log.verifier, seen);
  for (const from of [0, 1, SEEN + 1, SIZE, -1, Number.NaN]) {
    const altered = { ...good, consistency: { from, path: good.consistency!.path } };
    expect(verifyReceipt(altered, log.verifier, seen)).toEqual(outcome);
  }
  // Whoever has seen nothing, or this very size, needs no consistency proof and reads none.
  const junk = { ...good, consistency: { from: 3, path: ['junk'] } };
  expect(verifyReceipt(junk, log.verifier, null)).toEqual(outcome);
  expect(verifyReceipt(junk, log.verifier, log.headAt(SIZE))).toEqual(outcome);
});
