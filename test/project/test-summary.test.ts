import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const SCRIPT = fileURLToPath(new URL('../../scripts/test-summary.mjs', import.meta.url));

function summaryOf(report: object | null): { last: string; status: number | null } {
  const folder = mkdtempSync(join(tmpdir(), 'keyturn-summary-'));
  const path = join(folder, 'report.json');
  if (report !== null) writeFileSync(path, JSON.stringify(report));
  const { stdout, status } = spawnSync(process.execPath, [SCRIPT, path], { encoding: 'utf8' });
  rmSync(folder, { recursive: true });
  return { last: stdout.trimEnd().split('\n').at(-1) ?? '', status };
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
