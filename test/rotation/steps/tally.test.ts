import { expect, test } from 'vitest';
import { isWorse } from '../../../src/rotation/steps/swap/tally.ts';
import { UsesSide } from '../../../src/rotation/steps/swap/uses-side.ts';

const NOW = 1_000_000;
const RULE = { failures: 3, beyond: 0.01 };

type Reported = readonly [failures: number, requests: number];

/** One process for each report; `silent` others have the version and have not renewed yet. */
function side(reports: readonly Reported[], silent = 0) {
  const all = new UsesSide();
  for (const [at, [failures, requests]] of reports.entries()) {
    all.has('service:payments', `process-${at}`, NOW).report({ lease: `lease-${at}`, report: 1, requests, failures });
  }
  for (let at = 0; at < silent; at += 1) all.has('service:payments', `silent-${at}`, NOW + 1);
  return all.seen(NOW);
}

test.each([
  ['nothing was reported', [], [], false],
  ['two failures of two are not enough to say anything', [[2, 2]], [[0, 1_000]], false],
  ['three failures of three, and none of the others', [[3, 3]], [[0, 1_000]], true],
  ['nobody uses the old version', [[3, 100]], [], true],
  ['the partner fails everybody alike', [[50, 100]], [[500, 1_000]], false],
  ['by no more than is tolerated', [[30, 1_000]], [[20, 1_000]], false],
  ['by more than is tolerated', [[31, 1_000]], [[20, 1_000]], true],
  ['failures that were reported before their requests', [[3, 0]], [[0, 10]], true],
  ['the old version fails more often', [[3, 100]], [[90, 100]], false],
  [
    'one of several fails, whatever it says of itself',
    [
      [1_000_000, 1_000_000],
      [0, 10],
      [0, 10],
    ],
    [[0, 10]],
    false,
  ],
  [
    'two of several fail',
    [
      [10, 10],
      [10, 10],
      [0, 10],
    ],
    [[0, 10]],
    true,
  ],
  [
    'one fails, the other one has nothing to report',
    [
      [10, 10],
      [0, 0],
    ],
    [[0, 10]],
    true,
  ],
  [
    'two of very many have failures, and are hardly used',
    [[2, 2], [1, 1], ...Array.from({ length: 20 }, () => [0, 1_000] as const)],
    [[0, 1_000]],
    false,
  ],
  [
    'one that has the old version claims that it fails all the time',
    [
      [10, 100],
      [10, 100],
    ],
    [[1_000_000, 1_000_000], ...Array.from({ length: 19 }, () => [0, 100] as const)],
    true,
  ],
  [
    'one that has the new version claims a million requests without a failure',
    [
      [50, 100],
      [50, 100],
      [0, 1_000_000],
    ],
    [[0, 100]],
    true,
  ],
] as const)('%s', (_, fresh, old, worse) => {
  expect(isWorse({ fresh: side(fresh), old: side(old) }, RULE, true)).toBe(worse);
});

test('one that fails waits for the others that have the version, until they have renewed or the time is over', () => {
  const old = side([[0, 10]]);
  expect(isWorse({ fresh: side([[9, 9]], 1), old }, RULE, false)).toBe(false);
  expect(
    isWorse(
      {
        fresh: side([
          [9, 9],
          [0, 0],
        ]),
        old,
      },
      RULE,
      false,
    ),
  ).toBe(true);
  expect(isWorse({ fresh: side([[9, 9]], 1), old }, RULE, true)).toBe(true);
  const gone = new UsesSide();
  gone.has('service:payments', 'gone', NOW);
  gone.has('service:payments', 'left', NOW + 1).report({ lease: 'lease', report: 1, requests: 9, failures: 9 });
  expect(isWorse({ fresh: gone.seen(NOW), old }, RULE, false)).toBe(true);
});

test('a report that comes again under its number counts once, with what came later', () => {
  const all = new UsesSide();
  const process = all.has('service:payments', 'process', NOW);
  const told = { lease: 'lease', report: 1, requests: 4, failures: 1 };
  process.report(told);
  process.report(told);
  process.report({ ...told, requests: 6, failures: 2 });
  // Late, from a server that was asked before.
  process.report(told);
  expect(all.seen(NOW)).toMatchObject({ requests: 6, failures: 2 });
  process.report({ ...told, report: 2 });
  process.report(told);
  expect(all.seen(NOW)).toMatchObject({ requests: 10, failures: 3 });
});

test('the same number under another lease, and a report without one, are others', () => {
  const all = new UsesSide();
  const told = { lease: 'lease', report: 1, requests: 4, failures: 1 };
  const process = all.has('service:payments', 'process', NOW);
  process.report(told);
  process.report({ ...told, lease: 'another' });
  process.report({ ...told, report: null });
  process.report({ ...told, report: null });
  expect(all.seen(NOW)).toMatchObject({ clients: 1, requests: 16, failures: 4 });
});

test('those who saw failures are named, each once', () => {
  const all = new UsesSide();
  for (const [at, who] of ['service:b', 'service:a', 'service:b', 'service:c'].entries()) {
    const failures = who === 'service:c' ? 0 : 1;
    all.has(who, String(at), NOW).report({ lease: String(at), report: null, requests: 1, failures });
  }
  expect(all.seen(NOW)).toMatchObject({ heard: 4, failing: 3, failingOf: ['service:a', 'service:b'] });
});
