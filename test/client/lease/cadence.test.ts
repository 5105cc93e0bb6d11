import fc from 'fast-check';
import { expect, test } from 'vitest';
import { renewalDelay, retryDelay } from '../../../src/client/lease/cadence.ts';

test('renewals of a fleet spread evenly over 60 to 73.3 percent of the lease', () => {
  const delays = Array.from({ length: 10_000 }, () => renewalDelay(300_000, Math.random));
  expect(Math.min(...delays)).toBeGreaterThanOrEqual(180_000);
  expect(Math.max(...delays)).toBeLessThan(220_000);
  for (let tenth = 0; tenth < 10; tenth += 1) {
    const from = 180_000 + tenth * 4_000;
    const share = delays.filter((delay) => delay >= from && delay < from + 4_000).length / delays.length;
    expect(share).toBeGreaterThan(0.07);
    expect(share).toBeLessThan(0.13);
  }
});

test('a retry never waits longer than half a minute nor less than half its step', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (failures, drawn) => {
        const delay = retryDelay(failures, () => drawn);
        expect(delay).toBeGreaterThanOrEqual(500);
        expect(delay).toBeLessThanOrEqual(30_000);
      },
    ),
  );
});
