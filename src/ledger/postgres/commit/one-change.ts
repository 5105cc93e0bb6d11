import { recordEntry } from '../../../audit/recorded.ts';
import { refusalOf } from '../../batch/fault.ts';
import { assertTouched, refusedBy, type Settled } from '../../batch/settled.ts';
import type { Change } from '../../change.ts';
import type { LogTail } from '../../log/log-tail.ts';
import { assertSeen } from '../../log/proof.ts';
import { dollarNumber, type Statement } from '../../sql/statement.ts';
import { checksStatement, failedRule, holding, rowChecks, writeStatement } from '../../sql/translate.ts';
import { type Answer, answered, type Query, type Session } from '../connection/session.ts';
import { postgresFault } from '../database/fault.ts';

const SAVE: Query = { sql: 'SAVEPOINT one_change' };
const KEEP: readonly Query[] = [{ sql: 'RELEASE SAVEPOINT one_change' }];
const UNDO: readonly Query[] = [{ sql: 'ROLLBACK TO SAVEPOINT one_change' }, ...KEEP];

/** The changes of one transaction, one after the other: at most two round trips for each. */
export class Changes {
  readonly #session: Session;
  readonly #tail: LogTail;
  readonly #now: number;
  /** Ends the savepoint of the change before; sent with what comes next. */
  #owed: readonly Query[] = [];

  constructor(session: Session, tail: LogTail, now: number) {
    this.#session = session;
    this.#tail = tail;
    this.#now = now;
  }

  /**
   * Checks, then writes, then the entry; what goes wrong with one change undoes that change alone. An error that is
   * not the change's own fault ends the transaction.
   */
  async settle(change: Change): Promise<Settled> {
    let settled: Settled;
    try {
      settled = await this.#attempt(change);
    } catch (error) {
      const refusal = refusalOf(error, postgresFault(error));
      if (refusal === null) throw error;
      if (this.#owed === KEEP) this.#owed = UNDO;
      settled = { error: refusal };
    }
    if ('recorded' in settled && settled.recorded !== null) this.#tail.append(settled.recorded);
    return settled;
  }

  /** Before the transaction goes on to anything else. */
  async finish(): Promise<void> {
    const owed = this.#owed;
    this.#owed = [];
    for (const result of await this.#session.together(owed)) answered(result);
  }

  async #attempt(change: Change): Promise<Settled> {
    const { checks = [], writes = [] } = change;
    const asked = rowChecks(checks);
    const question = checksStatement(asked, dollarNumber);
    const statements = writes.map((write) => writeStatement(write, dollarNumber));
    let row = {};
    if (question !== null) row = (await this.#begin([question]))[0]?.rows[0] ?? {};
    const rule = failedRule(checks, new Set(holding(asked, row)), this.#now);
    if (rule !== null) return refusedBy(rule, change, this.#tail);
    assertSeen(change.receipt?.seen ?? 0, this.#tail.size);
    const recorded = recordEntry(change.entry, this.#tail.size, this.#tail.time);
    if (statements.length === 0) return { committed: true, recorded };
    const answers = question === null ? await this.#begin(statements) : await this.#send(statements);
    for (const [at, write] of writes.entries()) assertTouched(write, answers[at]?.rowCount ?? 0);
    return { committed: true, recorded };
  }

  /** In a savepoint of this change. */
  async #begin(statements: readonly Statement[]): Promise<Answer[]> {
    const sent = [...this.#owed, SAVE];
    this.#owed = KEEP;
    const results = await this.#session.together([...sent, ...statements]);
    return results.map(answered).slice(sent.length);
  }

  async #send(statements: readonly Statement[]): Promise<Answer[]> {
    return (await this.#session.together(statements)).map(answered);
  }
}
