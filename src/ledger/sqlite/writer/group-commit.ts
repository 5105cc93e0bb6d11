import type { LogSigner } from '../../../audit/checkpoint.ts';
import { recordEntry } from '../../../audit/recorded.ts';
import { KeyturnError } from '../../../core/errors.ts';
import type { BatchAnswer } from '../../batch/answer.ts';
import { refusalOf } from '../../batch/fault.ts';
import { batchAnswer, refusedBy, type Settled, unchangedAnswer } from '../../batch/settled.ts';
import type { Change } from '../../change.ts';
import { packFrontier } from '../../log/frontier.ts';
import { type LogEnd, LogTail } from '../../log/log-tail.ts';
import { assertSeen, type SignedHead } from '../../log/proof.ts';
import type { Statements } from '../database/connection.ts';
import { sqliteFault } from '../database/fault.ts';
import type { TreeRows } from '../database/tree-rows.ts';
import { failedRule, perform } from './one-change.ts';

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
    const settled = changes.map((change) => this.#settle(change, tail, now));
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
  #settle(change: Change, tail: LogTail, now: number): Settled {
    let settled: Settled;
    this.#sql('SAVEPOINT one_change');
    try {
      settled = this.#attempt(change, tail, now);
    } catch (error) {
      const refusal = refusalOf(error, sqliteFault(error));
      if (refusal === null) throw error;
      this.#sql('ROLLBACK TO one_change');
      settled = { error: refusal };
    }
    this.#sql('RELEASE one_change');
    if ('recorded' in settled && settled.recorded !== null) tail.append(settled.recorded);
    return settled;
  }

  /** `now` and not the entries' time: a clock that once ran ahead must not end every token and lease until then. */
  #attempt(change: Change, tail: LogTail, now: number): Settled {
    const rule = failedRule(this.#statements, change.checks ?? [], now);
    if (rule !== null) return refusedBy(rule, change, tail);
    assertSeen(change.receipt?.seen ?? 0, tail.size);
    perform(this.#statements, change.writes ?? []);
    return { committed: true, recorded: recordEntry(change.entry, tail.size, tail.time) };
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
