import { recordEntry } from '../../../audit/recorded.ts';
import { isKeyturnError } from '../../../core/errors.ts';
import { assertTouched, refusedBy, type Settled } from '../../batch/settled.ts';
import { type Change, tableOf, type Write } from '../../change.ts';
import type { LogTail } from '../../log/log-tail.ts';
import { assertSeen } from '../../log/proof.ts';
import { dollarNumber, type Statement } from '../../sql/statement.ts';
import { checksStatement, failedRule, holding, type RowCheck, rowChecks, writeStatement } from '../../sql/translate.ts';
import type { TableName } from '../../tables.ts';
import type { Answer } from '../connection/session.ts';

interface Question {
  readonly checks: readonly RowCheck[];
  readonly statement: Statement;
}

/** What is to be written for the changes of a run, and what came of them if it can be. */
export interface Decided {
  readonly settled: readonly Settled[];
  readonly writes: readonly Write[];
}

/**
 * Changes of which none asks about a table that one before it writes: what all ask can be asked before anything is
 * written. Callers hand over one object for equal checks, which is asked about once.
 */
export class Run {
  readonly #changes: readonly Change[];
  readonly #questions: readonly Question[];

  private constructor(changes: readonly Change[]) {
    this.#changes = changes;
    this.#questions = questionsOf(changes);
  }

  /**
   * Cut where a change asks about a table that one before it writes.
   * @throws KeyturnError `invalid_input` for a check that can't be translated.
   */
  static of(changes: readonly Change[]): Run[] {
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
    return runs.map((each) => new Run(each));
  }

  get questions(): readonly Statement[] {
    return this.#questions.map(({ statement }) => statement);
  }

  /**
   * Appends the entries of all, as if they came one after the other and none failed. `answers` are those to `questions`.
   * @throws KeyturnError for a change that must be refused by itself.
   */
  decide(answers: readonly Answer[], tail: LogTail, now: number): Decided {
    const held = new Set(this.#questions.flatMap(({ checks }, at) => holding(checks, answers[at]?.rows[0] ?? {})));
    const writes: Write[] = [];
    const settled = this.#changes.map((change): Settled => {
      const rule = failedRule(change.checks ?? [], held, now);
      const each = rule === null ? committed(change, tail) : refusedBy(rule, change, tail);
      if ('recorded' in each && each.recorded !== null) tail.append(each.recorded);
      if (rule === null) writes.push(...(change.writes ?? []));
      return each;
    });
    return { settled, writes };
  }
}

function committed(change: Change, { size, time }: LogTail): Settled {
  assertSeen(change.receipt?.seen ?? 0, size);
  return { committed: true, recorded: recordEntry(change.entry, size, time) };
}

function questionsOf(changes: readonly Change[]): Question[] {
  const asked = new Set<RowCheck>();
  return changes.flatMap((change) => {
    const checks = rowChecks(change.checks ?? []).filter((check) => !asked.has(check));
    for (const check of checks) asked.add(check);
    const statement = checksStatement(checks, dollarNumber);
    return statement === null ? [] : [{ checks, statement }];
  });
}

/** @throws KeyturnError `invalid_input` for a write that can't be translated. */
export function statementsOf(writes: readonly Write[]): Statement[] {
  return writes.map((write) => writeStatement(write, dollarNumber));
}

/** @throws KeyturnError `conflict` when one touched another number of rows than it says. */
export function assertAllTouched(writes: readonly Write[], answers: readonly Answer[]): void {
  for (const [at, write] of writes.entries()) assertTouched(write, answers[at]?.rowCount ?? 0);
}

/** Null for changes of which one can't be translated: it must be refused by itself. */
export function runsOf(changes: readonly Change[]): Run[] | null {
  try {
    return Run.of(changes);
  } catch (error) {
    if (isKeyturnError(error, 'invalid_input')) return null;
    throw error;
  }
}
