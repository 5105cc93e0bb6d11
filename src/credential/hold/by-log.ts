import type { Ledger } from '../../ledger/ledger.ts';
import { entriesOf } from '../../ledger/pages.ts';
import type { HoldRow } from '../../ledger/tables.ts';
import { aboutOf } from './credential-of.ts';
import { holdOf } from './hold-journal.ts';

/** Ids in one question. */
const ASKED_AT_ONCE = 900;

/**
 * A freeze holds because its row says so, and rows are not signed. The log is: a hold that it has, and no lifting of, is put
 * in force again where its row says otherwise or is gone. That somebody has written to the ledger past the server goes on
 * record. Returns how many there were.
 */
export async function restoreHolds(ledger: Ledger): Promise<number> {
  const placed = await placedByLog(ledger);
  for (const row of await rowsOf(ledger, [...placed.keys()])) {
    const { target, subject } = placed.get(row.id) ?? row;
    if (row.lifted_at === null && row.target === target && row.subject === subject) placed.delete(row.id);
  }
  // Read last: whoever lifts one meanwhile has written its entry with its row.
  if (placed.size > 0) for (const id of await liftedByLog(ledger)) placed.delete(id);
  for (const row of placed.values()) await restore(ledger, row);
  return placed.size;
}

async function placedByLog(ledger: Ledger): Promise<Map<string, HoldRow>> {
  const placed = new Map<string, HoldRow>();
  for await (const entry of entriesOf(ledger, { kind: 'hold.placed' })) {
    const row = holdOf(entry);
    if (row !== null) placed.set(row.id, row);
  }
  return placed;
}

async function liftedByLog(ledger: Ledger): Promise<string[]> {
  const lifted: string[] = [];
  for await (const { data } of entriesOf(ledger, { kind: 'hold.lifted' })) {
    if (typeof data['hold'] === 'string') lifted.push(data['hold']);
  }
  return lifted;
}

async function rowsOf(ledger: Ledger, ids: readonly string[]): Promise<HoldRow[]> {
  const rows: HoldRow[] = [];
  for (let at = 0; at < ids.length; at += ASKED_AT_ONCE) {
    rows.push(...(await ledger.find('holds', { id: { in: ids.slice(at, at + ASKED_AT_ONCE) } })));
  }
  return rows;
}

async function restore(ledger: Ledger, row: HoldRow): Promise<void> {
  const data = { hold: row.id, target: row.target, subject: row.subject };
  await ledger.commit({
    writes: [{ put: 'holds', row }],
    entry: { kind: 'hold.restored', actor: 'system', ...aboutOf(row), data },
  });
}
