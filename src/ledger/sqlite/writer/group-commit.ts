import type { LogSigner } from '../../../audit/checkpoint.ts';
import { type RecordedEntry, recordEntry } from '../../../audit/recorded.ts';
import { timestamp } from '../../../core/clock.ts';
import type { KeyturnError } from '../../../core/errors.ts';
import type { Change } from '../../change.ts';
import type { Statements } from '../database/connection.ts';
import { assertSeen, proveEntry, type SignedHead } from '../database/proof.ts';
import type { TreeRows } from '../database/tree-rows.ts';
import { type BatchAnswer, type ChangeResult, toWire } from '../protocol.ts';
import { type LogEnd, LogTail } from './log-tail.ts';
import { failedRule, perform, refusalEntry, refusalOf } from './one-change.ts';

/** What became of a change inside the transaction, before anybody may know. */
type Settled =
  | { readonly committed: true; readonly recorded: RecordedEntry }
  | { readonly committed: false; readonly rule: string; readonly recorded: RecordedEntry | null }
  | { readonly error: KeyturnError };

/** Many changes, one transaction, one sync. Any error that leaves it is final: nothing may be committed afterwards. */
export class GroupCommit {
  readonly #statements: Statements;
  readonly #signer: LogSigner;
  readonly #nodes: TreeRows;
  #end: LogEnd;
  /** So that one step of the clock makes one entry. */
  #behind = false;

  constructor(statements: Statements, signer: LogSigner, nodes: TreeRows, end: LogEnd) {
    this.#statements = statements;
    this.#signer = signer;
    this.#nodes = nodes;
    this.#end = end;
  }

  /** `now` is the wall clock; entries never step back behind the one before. Durable when it returns. */
  run(now: number, changes: readonly Change[]): BatchAnswer {
    const behind = now < this.#end.time;
    const tail = new LogTail(this.#statements, this.#end, Math.max(now, this.#end.time));
    this.#sql('BEGIN IMMEDIATE');
    if (behind && !this.#behind) tail.append(clockEntry(tail, now));
    const settled = changes.map((change) => this.#settle(change, tail, now));
    if (tail.isEmpty) {
      this.#sql('ROLLBACK');
      return { size: tail.size, checkpoint: null, results: settled.map((each) => unproven(each, tail.time)) };
    }
    const head = tail.sign(this.#signer);
    this.#sql('COMMIT');
    this.#end = tail.end();
    this.#behind = behind;
    this.#nodes.adopt(tail.nodes);
    return { ...head, results: settled.map((each, at) => this.#result(each, changes[at]!, tail.time, head)) };
  }

  /** Checks, then writes, then the entry; what goes wrong with one change undoes that change alone. */
  #settle(change: Change, tail: LogTail, now: number): Settled {
    let settled: Settled;
    this.#sql('SAVEPOINT one_change');
    try {
      settled = this.#attempt(change, tail, now);
    } catch (error) {
      const refusal = refusalOf(error);
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
    if (rule !== null) {
      const draft = refusalEntry(change, rule);
      return { committed: false, rule, recorded: draft && recordEntry(draft, tail.size, tail.time) };
    }
    assertSeen(change.receipt?.seen ?? 0, tail.size);
    perform(this.#statements, change.writes ?? []);
    return { committed: true, recorded: recordEntry(change.entry, tail.size, tail.time) };
  }

  #result(settled: Settled, change: Change, time: number, head: SignedHead): ChangeResult {
    if (!('committed' in settled) || !settled.committed || change.receipt === undefined) return unproven(settled, time);
    const { entry, json } = settled.recorded;
    const receipt = proveEntry(this.#nodes, head, { index: entry.index, json }, change.receipt.seen);
    return { outcome: { committed: true, index: entry.index, time, receipt } };
  }

  #sql(text: string): void {
    this.#statements.prepare(text).run();
  }
}

function unproven(settled: Settled, time: number): ChangeResult {
  if ('error' in settled) return { error: toWire(settled.error) };
  if (settled.committed) {
    return { outcome: { committed: true, index: settled.recorded.entry.index, time, receipt: null } };
  }
  return { outcome: { committed: false, rule: settled.rule, index: settled.recorded?.entry.index ?? null } };
}

function clockEntry(tail: LogTail, now: number): RecordedEntry {
  const data = { clock: timestamp(now), entriesStayAt: timestamp(tail.time) };
  return recordEntry({ kind: 'clock.stepped-back', actor: 'system', data }, tail.size, tail.time);
}
