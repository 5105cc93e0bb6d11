import type { Check, Write } from '../../change.ts';
import { tableOf } from '../../change.ts';
import { questionMark, type Statement } from '../../sql/statement.ts';
import { existsStatement } from '../../sql/translate.ts';
import type { TableName } from '../../tables.ts';
import type { Statements } from '../database/connection.ts';

type RowCheck = Exclude<Check, { readonly notAfter: number }>;

/** Of checks that come again and again; null where it was not asked yet. */
const questions = new WeakMap<Check, Statement | null>();

/** For a check that will be asked as this very object from now on: its statement is made once. */
export function keepQuestion(check: Check): void {
  questions.set(check, null);
}

/**
 * The checks of one transaction. Leases of one service ask the same again and again, and callers hand over one object
 * for equal checks, which stays one object on its way to this thread: its answer is found once, and again after a write
 * of this transaction to its table. Nothing else can change what the transaction sees.
 */
export class HeldChecks {
  readonly #statements: Statements;
  /** Wall clock. */
  readonly #now: number;
  readonly #answers = new Map<TableName, Map<Check, boolean>>();

  constructor(statements: Statements, now: number) {
    this.#statements = statements;
    this.#now = now;
  }

  /** The first check that no longer holds, by its rule; null if all hold. */
  failedRule(checks: readonly Check[]): string | null {
    return checks.find((check) => !this.#holds(check))?.rule ?? null;
  }

  /** Before the write is made. */
  forget(write: Write): void {
    this.#answers.delete(tableOf(write));
  }

  #holds(check: Check): boolean {
    if ('notAfter' in check) return this.#now <= check.notAfter;
    const known = this.#answers.get(check.table) ?? new Map<Check, boolean>();
    this.#answers.set(check.table, known);
    const found = known.get(check);
    if (found !== undefined) return found;
    const holds = this.#ask(check);
    known.set(check, holds);
    return holds;
  }

  #ask(check: RowCheck): boolean {
    return this.#statements.exists(questionOf(check)) === 'some' in check;
  }
}

/** @throws KeyturnError `invalid_input`. */
function questionOf(check: RowCheck): Statement {
  const kept = questions.get(check);
  if (kept !== null && kept !== undefined) return kept;
  const question = existsStatement(check.table, 'some' in check ? check.some : check.none, questionMark);
  if (kept === null) questions.set(check, question);
  return question;
}
