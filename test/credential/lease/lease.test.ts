import { expect, test } from 'vitest';
import { grantedSeconds, secondsLeftOf } from '../../../src/credential/lease/lease.ts';
import type { LeaseRow } from '../../../src/ledger/tables.ts';

/** Granted at 1,000 s for a quarter of an hour, renewed at 1,600 s for as long. */
const GRANTED = { granted_at: 1_000_000, renewed_at: null, expires_at: 1_900_000 } as LeaseRow;
const RENEWED = { ...GRANTED, renewed_at: 1_600_000, expires_at: 2_500_001 };

test('a lease is granted and renewed for whole seconds, rounded up', () => {
  expect([GRANTED, RENEWED].map(grantedSeconds)).toEqual([900, 901]);
});

test('what is left is rounded down, never below zero, and never more than it was granted for', () => {
  const left = (now: number) => secondsLeftOf(GRANTED, now);
  expect([1_000_000, 1_000_001, 1_899_001, 1_900_000, 2_000_000].map(left)).toEqual([900, 899, 0, 0, 0]);
  // The clock has stepped back since.
  expect([900_000, 0].map(left)).toEqual([900, 900]);
  expect(secondsLeftOf(RENEWED, 1_000_000)).toBe(901);
});
