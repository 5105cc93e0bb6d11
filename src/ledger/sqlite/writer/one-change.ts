import { assertTouched } from '../../batch/settled.ts';
import type { Check, Write } from '../../change.ts';
import { questionMark } from '../../sql/statement.ts';
import { existsStatement, writeStatement } from '../../sql/translate.ts';
import type { Statements } from '../database/connection.ts';

/** The first check that no longer holds at `time` (wall clock) inside the transaction, by its rule; null if all hold. */
export function failedRule(statements: Statements, checks: readonly Check[], time: number): string | null {
  return checks.find((check) => !holds(statements, check, time))?.rule ?? null;
}

function holds(statements: Statements, check: Check, time: number): boolean {
  if ('notAfter' in check) return time <= check.notAfter;
  if ('some' in check) return statements.exists(existsStatement(check.table, check.some, questionMark));
  return !statements.exists(existsStatement(check.table, check.none, questionMark));
}

/** @throws KeyturnError `conflict` when an update touches another number of rows than it says. */
export function perform(statements: Statements, writes: readonly Write[]): void {
  for (const write of writes) assertTouched(write, statements.run(writeStatement(write, questionMark)));
}
