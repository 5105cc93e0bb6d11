import type { LogSigner } from '../../../audit/checkpoint.ts';
import { recordEntry } from '../../../audit/recorded.ts';
import { KeyturnError } from '../../../core/errors.ts';
import type { BatchAnswer } from '../../batch/answer.ts';
import { refusalOf } from '../../batch/fault.ts';
import { assertTouched, batchAnswer, refusedBy, type Settled, unchangedAnswer } from '../../batch/settled.ts';
import type { Change, Write } from '../../change.ts';
import { packFrontier } from '../../log/frontier.ts';
import { type LogEnd, LogTail } from '../../log/log-tail.ts';
import { assertSeen, type SignedHead } from '../../log/proof.ts';
import { questionMark } from '../../sql/statement.ts';
import { writeStatement } from '../../sql/translate.ts';
import type { Statements } from '../database/connection.ts';
import { sqliteFault } from '../database/fault.ts';
import type { TreeRows } from '../database/tree-rows.ts';
import { HeldChecks } from './held-checks.ts';

/** Many changes, one transaction, one sync. Any error that leaves it is final: nothing may be committed afterwards. */
export class GroupCommit {
  readonly #statements: Statements;
  readonly #signer: LogSigner;
  readonly #nodes: TreeRows;
  #end: LogEnd;

  constructor(statements: Statements, signer: LogSigner, nodes: TreeRows, end: LogEnd) {
    this.#statements = statements;
    this.#signer = signer;
    this.#nodes = nodes;
    this.#end = end;
  }

  /** `now` is the wall clock; entries never step back behind the one before. Durable when it returns. */
  run(now: number, changes: readonly Change[]): BatchAnswer {
    const tail = new LogTail(this.#end, now);
    this.#sql('BEGIN IMMEDIATE');
    // `now` and not the entries' time: a clock that once ran ahead must not end every token and lease until then.
    const checks = new HeldChecks(this.#statements, now);
    const settled = changes.map((change) => this.#settle(change, tail, checks));
    if (tail.isEmpty) {
      this.#sql('ROLLBACK');
      return unchangedAnswer(settled, tail);
    }
    const head = this.#append(tail);
    this.#sql('COMMIT');
    this.#end = tail.end();
    this.#nodes.adopt(tail.nodes);
    return batchAnswer(settled, changes, { head, time: tail.time }, this.#nodes);
  }

  /** Checks, then writes, then the entry; what goes wrong with one change undoes that change alone. */
  #settle(change: Change, tail: LogTail, checks: HeldChecks): Settled {
    let settled: Settled;
    try {
      settled = this.#attempt(change, tail, checks);
    } catch (error) {
      const refusal = refusalOf(error, sqliteFault(error));
      if (refusal === null) throw error;
      settled = { error: refusal };
    }
    if ('recorded' in settled && settled.recorded !== null) tail.append(settled.recorded);
    return settled;
  }

  /** The writes come last: whatever else may fail has then failed before them. */
  #attempt(change: Change, tail: LogTail, checks: HeldChecks): Settled {
    const rule = checks.failedRule(change.checks ?? []);
    if (rule !== null) return refusedBy(rule, change, tail);
    assertSeen(change.receipt?.seen ?? 0, tail.size);
    const recorded = recordEntry(change.entry, tail.size, tail.time);
    this.#perform(change.writes ?? [], checks);
    return { committed: true, recorded };
  }

  /** All or none. One insert is that by itself (sqlite.org/lang_conflict.html, ABORT); more need a savepoint. */
  #perform(writes: readonly Write[], checks: HeldChecks): void {
    for (const write of writes) checks.forget(write);
    const alone = writes.length === 1 ? writes[0] : undefined;
    if (writes.length === 0) return;
    if (alone !== undefined && 'insert' in alone) {
      this.#write(alone);
      return;
    }
    this.#sql('SAVEPOINT one_change');
    try {
      for (const write of writes) this.#write(write);
    } catch (error) {
      if (refusalOf(error, sqliteFault(error)) !== null) {
        this.#sql('ROLLBACK TO one_change');
        this.#sql('RELEASE one_change');
      }
      throw error;
    }
    this.#sql('RELEASE one_change');
  }

  /** @throws KeyturnError `conflict` when an update touches another number of rows than it says. */
  #write(write: Write): void {
    assertTouched(write, this.#statements.run(writeStatement(write, questionMark)));
  }

  /**
   * Writes entries, nodes, head and checkpoint. The size is compared and set, so that no two heads can ever follow the
   * same one.
   * @throws KeyturnError `ledger_corrupt` when the head was moved by somebody else.
   */
  #append(tail: LogTail): SignedHead {
    const head = tail.sign(this.#signer);
    const { frontier, time } = tail.end();
    const moved = this.#statements
      .prepare('UPDATE head SET size = ?, frontier = ?, time = ? WHERE id = 1 AND size = ?')
      .run(head.size, packFrontier(frontier), time, tail.before);
    if (moved.changes !== 1) {
      throw new KeyturnError('ledger_corrupt', `The head of the log is not at ${tail.before} any more.`, {
        fix: 'Find out what else writes to the ledger file, stop it, and start again.',
      });
    }
    const entry = this.#statements.prepare(
      'INSERT INTO entries (idx, time, kind, actor, credential, json, leaf) VALUES (?, ?, ?, ?, ?, ?, ?)',
    );
    for (const { entry: of, json, leafHash } of tail.entries) {
      entry.run(of.index, time, of.kind, of.actor, of.credential ?? null, json, leafHash);
    }
    const node = this.#statements.prepare('INSERT INTO tree_nodes (level, idx, hash) VALUES (?, ?, ?)');
    for (const { level, index, hash } of tail.nodes) if (level > 0) node.run(level, index, hash);
    this.#statements.prepare('INSERT INTO checkpoints (size, note) VALUES (?, ?)').run(head.size, head.checkpoint);
    return head;
  }

  #sql(text: string): void {
    this.#statements.prepare(text).run();
  }
}
