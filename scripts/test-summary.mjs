/**
 * `node scripts/test-summary.mjs REPORT.json [BEFORE.json]`, reports as vitest writes them: prints how many tests passed
 * and failed, and exits with 1 when any failed, any was left out, or none ran. REPORT may be of files of BEFORE that were
 * run once more: what passed in the others there counts too.
 *
 * With `--ended` it prints instead the files whose process the system ended (Node crashed, memory ran out) before all of
 * their tests had run, when that is all that went wrong. Nothing was found out about those tests.
 */
import { existsSync, readFileSync } from 'node:fs';

const ended = process.argv.includes('--ended');
const [report, before] = process.argv
  .slice(2)
  .filter((arg) => arg !== '--ended')
  .map((path) => (existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : null));

if (ended) for (const name of filesEnded()) process.stdout.write(`${name}\n`);
else summarise();

/**
 * @typedef {{ status: string }} Assertion
 * @typedef {{ name: string, status: string, message: string, assertionResults: Assertion[] }} FileResult
 */

function filesEnded() {
  /** @type {FileResult[]} */
  const all = report?.testResults ?? [];
  const files = all.filter(({ status }) => status !== 'passed');
  /** @param {FileResult} file */
  const unknown = ({ message, assertionResults }) =>
    message === '' &&
    assertionResults.some(({ status }) => status === 'pending') &&
    assertionResults.every(({ status }) => status === 'pending' || status === 'passed');
  return report?.numFailedTests === 0 && files.every(unknown) ? files.map(({ name }) => name) : [];
}

function summarise() {
  /** @type {[FileResult[], FileResult[]]} */
  const [now, then] = [report?.testResults ?? [], before?.testResults ?? []];
  const again = new Set(now.map(({ name }) => name));
  const others = then.filter(({ name }) => !again.has(name));
  const passedBefore = others.flatMap(({ assertionResults }) =>
    assertionResults.filter(({ status }) => status === 'passed'),
  );
  const passed = (report?.numPassedTests ?? 0) + (report ? passedBefore.length : 0);
  const failed = report?.numFailedTests ?? 0;
  const left = (report?.numPendingTests ?? 0) + (report?.numTodoTests ?? 0);
  const green = report?.success === true && passed > 0 && failed === 0 && left === 0;
  if (!report) process.stderr.write('No test has run: there is no report.\n');
  if (report && failed === 0 && !green) process.stderr.write('A test file failed, or tests were left out.\n');
  process.stdout.write(`Tests: ${passed} passed, ${failed} failed${left === 0 ? '' : `, ${left} skipped`}\n`);
  process.exitCode = green ? 0 : 1;
}
