import { KeyturnError } from '../../core/errors.ts';
import type { EmergencyJournal } from '../../ledger/journal/emergency-journal.ts';
import { rowPages } from '../../ledger/pages.ts';
import { HOLD_TARGETS, type HoldRow } from '../../ledger/tables.ts';
import type { Desk } from '../desk.ts';
import { restoreHolds } from './by-log.ts';
import { holdChange, IN_FORCE } from './hold-journal.ts';

/**
 * At start, before the first release: holds in the ledger, those among them that its rows deny, are put into the switch,
 * then those of the emergency journal are brought into the ledger (each once, by id), and the journal is emptied. What was
 * torn there can't be: a freeze that nobody was told of, or one that is lost. Which, nobody can know, so that it was there
 * goes on record.
 * @throws KeyturnError `ledger_unavailable`, `journal_unavailable`: then nothing may be released.
 */
export async function replayHolds(
  desk: Pick<Desk, 'ledger' | 'holds'>,
  journal: EmergencyJournal,
): Promise<{ replayed: number; torn: number; restored: number }> {
  const restored = await restoreHolds(desk.ledger);
  for await (const inForce of rowPages(desk.ledger, 'holds', { lifted_at: null }, 'id')) {
    for (const { id, target, subject } of inForce) desk.holds.place(id, target, subject);
  }
  const [records, torn] = [await journal.records(), await journal.torn()];
  let replayed = 0;
  for (const record of records) {
    const row = holdRowOf(record);
    const outcome = await desk.ledger.commit(holdChange(row));
    if (!outcome.committed) continue;
    desk.holds.place(row.id, row.target, row.subject);
    replayed += 1;
  }
  if (torn.length > 0) {
    await desk.ledger.commit({ entry: { kind: 'journal.torn', actor: 'system', data: { slots: torn } } });
  }
  if (records.length > 0 || torn.length > 0) await journal.clear();
  return { replayed, torn: torn.length, restored };
}

/** The journal is a file on disk: what it holds is parsed as strictly as a request. */
function holdRowOf(record: Readonly<Record<string, unknown>>): HoldRow {
  const { id, target, subject, reason, placed_by, placed_at } = record;
  const known = HOLD_TARGETS.find((each) => each === target);
  if (
    known === undefined ||
    typeof id !== 'string' ||
    typeof subject !== 'string' ||
    typeof reason !== 'string' ||
    typeof placed_by !== 'string' ||
    typeof placed_at !== 'number'
  ) {
    throw new KeyturnError('journal_unavailable', 'The emergency journal holds a record that is not a hold.', {
      fix: 'Keep a copy of the file, freeze again what it should have frozen, then remove it.',
    });
  }
  return {
    id,
    target: known,
    subject,
    reason,
    placed_by,
    placed_at,
    ...IN_FORCE,
  };
}
