import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const SCRIPT = fileURLToPath(new URL('../../scripts/test-summary.mjs', import.meta.url));

/** A report that is null has no file. */
function run(reports: readonly (object | null)[], flags: readonly string[] = []) {
  const folder = mkdtempSync(join(tmpdir(), 'keyturn-summary-'));
  const paths = reports.map((report, at) => {
    const path = join(folder, `report-${at}.json`);
    if (report !== null) writeFileSync(path, JSON.stringify(report));
    return path;
  });
  const { stdout, status } = spawnSync(process.execPath, [SCRIPT, ...flags, ...paths], { encoding: 'utf8' });
  rmSync(folder, { recursive: true });
  return { lines: stdout.split('\n').filter((line) => line !== ''), status };
}

function summaryOf(report: object | null): { last: string; status: number | null } {
  const { lines, status } = run([report]);
  return { last: lines.at(-1) ?? '', status };
}

function counts(passed: number, failed: number, pending: number, success: boolean): object {
  return { numPassedTests: passed, numFailedTests: failed, numPendingTests: pending, numTodoTests: 0, success };
}

test.each([
  ['all passed', counts(812, 0, 0, true), 'Tests: 812 passed, 0 failed', 0],
  ['one failed', counts(811, 1, 0, false), 'Tests: 811 passed, 1 failed', 1],
  ['a file broke before its tests', counts(811, 0, 0, false), 'Tests: 811 passed, 0 failed', 1],
  ['one was left out', counts(811, 0, 1, true), 'Tests: 811 passed, 0 failed, 1 skipped', 1],
  ['none ran', counts(0, 0, 0, true), 'Tests: 0 passed, 0 failed', 1],
  ['there is no report', null, 'Tests: 0 passed, 0 failed', 1],
])('%s: the closing line and the exit code say so', (_, report, last, status) => {
  expect(summaryOf(report)).toEqual({ last, status });
});

const passed = { status: 'passed', message: '', assertionResults: [{ status: 'passed' }, { status: 'passed' }] };
const crashed = { status: 'failed', message: '', assertionResults: [{ status: 'passed' }, { status: 'pending' }] };
const failed = { status: 'failed', message: '', assertionResults: [{ status: 'failed' }, { status: 'pending' }] };
const broken = { status: 'failed', message: 'a hook failed', assertionResults: [{ status: 'pending' }] };

test.each([
  [
    'one process was ended',
    [
      { name: 'a', ...passed },
      { name: 'b', ...crashed },
    ],
    0,
    ['b'],
  ],
  [
    'another test failed as well',
    [
      { name: 'a', ...failed },
      { name: 'b', ...crashed },
    ],
    1,
    [],
  ],
  [
    'another file broke as well',
    [
      { name: 'a', ...broken },
      { name: 'b', ...crashed },
    ],
    0,
    [],
  ],
  ['all is well', [{ name: 'a', ...passed }], 0, []],
])('what a process that was ended leaves unknown: %s', (_, testResults, numFailedTests, names) => {
  const { lines } = run([{ ...counts(0, numFailedTests, 0, false), testResults }], ['--ended']);
  expect(lines).toEqual(names);
});

test('files that were run once more count once, the others as before', () => {
  const before = {
    ...counts(3, 0, 0, false),
    testResults: [
      { name: 'a', ...passed },
      { name: 'b', ...crashed },
    ],
  };
  const again = { ...counts(2, 0, 0, true), testResults: [{ name: 'b', ...passed }] };
  expect(run([again, before])).toMatchObject({ lines: ['Tests: 4 passed, 0 failed'], status: 0 });
});
