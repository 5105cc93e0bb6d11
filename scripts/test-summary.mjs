/**
 * Prints how many tests passed and failed, as counted in vitest's own JSON report, and exits with 1 when any failed,
 * any was left out, or none ran: `node scripts/test-summary.mjs REPORT.json`.
 */
import { existsSync, readFileSync } from 'node:fs';

const path = process.argv[2] ?? '';
const report = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : null;
const passed = report?.numPassedTests ?? 0;
const failed = report?.numFailedTests ?? 0;
const left = (report?.numPendingTests ?? 0) + (report?.numTodoTests ?? 0);
const green = report?.success === true && passed > 0 && failed === 0 && left === 0;

if (report === null) process.stderr.write('No test has run: there is no report.\n');
if (report !== null && failed === 0 && !green) process.stderr.write('A test file failed, or tests were left out.\n');
process.stdout.write(`Tests: ${passed} passed, ${failed} failed${left === 0 ? '' : `, ${left} skipped`}\n`);
process.exitCode = green ? 0 : 1;
