import { recordEntry } from '../../../audit/recorded.ts';
import { isKeyturnError } from '../../../core/errors.ts';
import { assertTouched, refusedBy, type Settled } from '../../batch/settled.ts';
import { type Change, tableOf } from '../../change.ts';
import type { LogTail } from '../../log/log-tail.ts';
import { assertSeen } from '../../log/proof.ts';
import { dollarNumber } from '../../sql/statement.ts';
import { checksStatement, failedRule, writeStatement } from '../../sql/translate.ts';
import type { TableName } from '../../tables.ts';
import { type Answer, answered, type Query, type Session } from '../connection/session.ts';
import { postgresFault } from '../database/fault.ts';

const SAVE: Query = { sql: 'SAVEPOINT run' };
const UNDO: readonly Query[] = [{ sql: 'ROLLBACK TO SAVEPOINT run' }, { sql: 'RELEASE SAVEPOINT run' }];

/**
 * Cut where a change asks about a table that one before it writes: within a run, what all ask can be asked before
 * anything is written.
 */
export function independentRuns(changes: readonly Change[]): Change[][] {
  const runs: Change[][] = [];
  let run: Change[] = [];
  let written = new Set<TableName>();
  for (const change of changes) {
    const asks = (change.checks ?? []).some((check) => 'table' in check && written.has(check.table));
    if (asks || run.length === 0) {
      run = [];
      runs.push(run);
      written = new Set();
    }
    run.push(change);
    for (const write of change.writes ?? []) written.add(tableOf(write));
  }
  return runs;
}

/**
 * A whole run in two round trips, the questions of all, then the writes of all: as if they came one after the other,
 * and none failed. Null when anything goes wrong with any of them: then all is undone, and they must come in turn.
 */
export async function settleAtOnce(
  session: Session,
  changes: readonly Change[],
  tail: LogTail,
  now: number,
): Promise<readonly Settled[] | null> {
  try {
    // What can't be translated is found before the savepoint is there.
    const questions = changes.map(({ checks = [] }) => checksStatement(checks, dollarNumber));
    const writes = changes.map((change) => (change.writes ?? []).map((write) => writeStatement(write, dollarNumber)));
    try {
      const [, ...asked] = await together(session, [SAVE, ...questions.filter((question) => question !== null)]);
      const answers = asked.values();
      const rows = questions.map((question) => (question === null ? {} : (answers.next().value?.rows[0] ?? {})));
      const settled = decide(changes, rows, tail, now);
      const isMade = (at: number) => settled[at] !== undefined && 'committed' in settled[at] && settled[at].committed;
      const made = changes.map((change, at) => (isMade(at) ? (change.writes ?? []) : []));
      const touched = await together(session, writes.filter((_, at) => isMade(at)).flat());
      for (const [at, write] of made.flat().entries()) assertTouched(write, touched[at]?.rowCount ?? 0);
      for (const each of settled) if ('recorded' in each && each.recorded !== null) tail.append(each.recorded);
      return settled;
    } catch (error) {
      if (!isOwnFault(error)) throw error;
      await together(session, UNDO);
      return null;
    }
  } catch (error) {
    if (isKeyturnError(error, 'invalid_input')) return null;
    throw error;
  }
}

/** Entries take their places as they will be appended; nothing is appended yet. */
function decide(
  changes: readonly Change[],
  rows: readonly Readonly<Record<string, unknown>>[],
  tail: LogTail,
  now: number,
): Settled[] {
  let { size } = tail;
  return changes.map((change, at) => {
    const place = { size, time: tail.time };
    const rule = failedRule(change.checks ?? [], rows[at] ?? {}, now);
    let settled: Settled;
    if (rule === null) {
      assertSeen(change.receipt?.seen ?? 0, size);
      settled = { committed: true, recorded: recordEntry(change.entry, size, tail.time) };
    } else settled = refusedBy(rule, change, place);
    if ('recorded' in settled && settled.recorded !== null) size += 1;
    return settled;
  });
}

/** Of one of the changes, not of the database. */
function isOwnFault(error: unknown): boolean {
  return isKeyturnError(error) || postgresFault(error)?.kind !== 'broken';
}

async function together(session: Session, queries: readonly Query[]): Promise<Answer[]> {
  return (await session.together(queries)).map(answered);
}
