import type { EntryDraft } from '../../../audit/entry.ts';
import { KeyturnError } from '../../../core/errors.ts';
import type { Change, Check, Write } from '../../change.ts';
import { questionMark } from '../../sql/statement.ts';
import { existsStatement, writeStatement } from '../../sql/translate.ts';
import type { Statements } from '../database/connection.ts';
import { sqliteFault } from '../database/fault.ts';

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
  for (const write of writes) {
    const touched = statements.run(writeStatement(write, questionMark));
    if (!('update' in write) || write.rows === undefined || write.rows === touched) continue;
    throw new KeyturnError(
      'conflict',
      `An update of ${write.update} touched ${touched} rows instead of ${write.rows}.`,
      {
        fix: 'Read the rows again: somebody else changed them first.',
      },
    );
  }
}

/** The entry under `refusal` with the rule that refused in its data. */
export function refusalEntry(change: Change, rule: string): EntryDraft | null {
  if (change.refusal === undefined) return null;
  return { ...change.refusal, data: { ...change.refusal.data, rule } };
}

/**
 * What to tell the one who sent a change that could not be made; null when the fault is the file's or the disk's, so
 * that the whole ledger must stop.
 */
export function refusalOf(error: unknown): KeyturnError | null {
  if (error instanceof KeyturnError) return error;
  const fault = sqliteFault(error);
  if (fault === null) return new KeyturnError('internal', 'A change could not be read by the ledger.');
  switch (fault.kind) {
    case 'same-key':
      return new KeyturnError('conflict', `The ledger has a row with the same key: ${fault.message}.`);
    case 'missing-target':
      return new KeyturnError('conflict', `A row refers to one that the ledger does not have: ${fault.message}.`);
    case 'other-constraint':
      return new KeyturnError('internal', `A row is not as the ledger's schema wants it: ${fault.message}.`);
    case 'broken':
      return null;
  }
}
