import { expect, test } from 'vitest';
import { systemClock, timestamp } from '../../src/core/clock.ts';

test('a timestamp is RFC 3339 in UTC with milliseconds, at the edges of the calendar too', () => {
  expect(timestamp(0)).toBe('1970-01-01T00:00:00.000Z');
  expect(timestamp(Date.UTC(2028, 1, 29, 23, 59, 59, 999))).toBe('2028-02-29T23:59:59.999Z');
  expect(timestamp(2 ** 31 * 1_000)).toBe('2038-01-19T03:14:08.000Z');
});

test('the monotonic clock never goes back', () => {
  let last = systemClock.monotonic();
  for (let count = 0; count < 10_000; count += 1) {
    const now = systemClock.monotonic();
    expect(now >= last).toBe(true);
    last = now;
  }
});
