import type { EntryDraft } from '../../audit/entry.ts';
import { type RecordedEntry, recordEntry } from '../../audit/recorded.ts';
import { atOneSize, type TreeNodes } from '../../audit/tree.ts';
import { KeyturnError } from '../../core/errors.ts';
import type { Change } from '../change.ts';
import type { LogTail } from '../log/log-tail.ts';
import { proveEntry, type SignedHead } from '../log/proof.ts';
import { type BatchAnswer, type ChangeResult, toWire } from './answer.ts';

/** What became of a change inside the transaction, before anybody may know. */
export type Settled =
  | { readonly committed: true; readonly recorded: RecordedEntry }
  | { readonly committed: false; readonly rule: string; readonly recorded: RecordedEntry | null }
  | { readonly error: KeyturnError };

/** A change whose check failed: its refusal's entry, with the rule in its data, takes the next place on the log. */
export function refusedBy(rule: string, change: Change, tail: Pick<LogTail, 'size' | 'time'>): Settled {
  const { refusal } = change;
  if (refusal === undefined) return { committed: false, rule, recorded: null };
  const draft: EntryDraft = { ...refusal, data: { ...refusal.data, rule } };
  return { committed: false, rule, recorded: recordEntry(draft, tail.size, tail.time) };
}

/** @throws KeyturnError `conflict` when an update touched another number of rows than it says. */
export function assertTouched(write: NonNullable<Change['writes']>[number], touched: number): void {
  if (!('update' in write) || write.rows === undefined || write.rows === touched) return;
  throw new KeyturnError('conflict', `An update of ${write.update} touched ${touched} rows instead of ${write.rows}.`, {
    fix: 'Read the rows again: somebody else changed them first.',
  });
}

/** The answer of a batch that appended nothing, so that nothing had to be made durable. */
export function unchangedAnswer(settled: readonly Settled[], { size, time }: LogTail): BatchAnswer {
  return { size, checkpoint: null, results: settled.map((each) => unproven(each, time)) };
}

/** The answer of a batch at the head that it led to. `nodes` has those of its own transaction too. */
export function batchAnswer(
  settled: readonly Settled[],
  changes: readonly Change[],
  { head, time }: { readonly head: SignedHead; readonly time: number },
  nodes: TreeNodes,
): BatchAnswer {
  const edge = atOneSize(nodes);
  const results = settled.map((each, at): ChangeResult => {
    const seen = changes[at]?.receipt?.seen;
    if (!('committed' in each) || !each.committed || seen === undefined) return unproven(each, time);
    const { entry, json } = each.recorded;
    const receipt = proveEntry(edge, head, { index: entry.index, json }, seen);
    return { outcome: { committed: true, index: entry.index, time, receipt } };
  });
  return { ...head, results };
}

function unproven(settled: Settled, time: number): ChangeResult {
  if ('error' in settled) return { error: toWire(settled.error) };
  if (settled.committed) {
    return { outcome: { committed: true, index: settled.recorded.entry.index, time, receipt: null } };
  }
  return { outcome: { committed: false, rule: settled.rule, index: settled.recorded?.entry.index ?? null } };
}
