import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Watchdog } from '../../../src/ledger/batch/watchdog.ts';

let barks: number;
let skippedMs: number;
let watchdog: Watchdog;

beforeEach(() => {
  vi.useFakeTimers();
  barks = 0;
  skippedMs = 0;
  watchdog = new Watchdog(
    1000,
    () => {
      barks += 1;
    },
    () => performance.now() + skippedMs,
  );
});
afterEach(() => {
  vi.useRealTimers();
});

test('barks once when the limit is reached', () => {
  watchdog.start();
  vi.advanceTimersByTime(999);
  expect(barks).toBe(0);
  vi.advanceTimersByTime(1);
  expect(barks).toBe(1);
  vi.advanceTimersByTime(10_000);
  expect(barks).toBe(1);
});

test('stays quiet when it is stopped, and starts from the beginning when started anew', () => {
  watchdog.start();
  vi.advanceTimersByTime(900);
  watchdog.start();
  vi.advanceTimersByTime(900);
  watchdog.stop();
  vi.advanceTimersByTime(10_000);
  expect(barks).toBe(0);
});

test('gives the answer a moment to be read when this very thread has slept', () => {
  watchdog.start();
  skippedMs = 5000;
  vi.advanceTimersByTime(1000);
  expect(barks).toBe(0);
  vi.advanceTimersByTime(99);
  expect(barks).toBe(0);
  vi.advanceTimersByTime(1);
  expect(barks).toBe(1);
});
