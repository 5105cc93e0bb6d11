import { KeyturnError } from '../../core/errors.ts';
import type { EntryQuery } from '../ledger.ts';
import { type Placeholder, type Statement, Values } from './statement.ts';

const DEFAULT_ENTRIES = 100;
const MAX_ENTRIES = 10_000;

/**
 * The entries that a question asks for: `idx`, `json`, `leaf`. Times never go back along the log, so a range of times
 * is a range of indexes.
 * @throws KeyturnError `invalid_input`.
 */
export function entriesStatement(query: EntryQuery, placeholder: Placeholder, along: Along = 'idx'): Statement {
  const { limit = DEFAULT_ENTRIES } = query;
  if (!Number.isSafeInteger(limit) || limit < 0 || limit > MAX_ENTRIES) {
    throw new KeyturnError('invalid_input', `At most ${MAX_ENTRIES} entries are read at a time.`);
  }
  const values = new Values(placeholder);
  const led = along === 'led' ? leadOf(query) : null;
  const bound = (comparison: '>=' | '<', index: string) =>
    led === null ? `idx ${comparison} ${index}` : `(${led}, idx) ${comparison} (${values.add(query[led])}, ${index})`;
  const parts = [bound('>=', values.add(query.from ?? 0)), bound('<', values.add(query.to ?? Number.MAX_SAFE_INTEGER))];
  if (query.since !== undefined) parts.push(bound('>=', firstIndex(`time >= ${values.add(query.since)}`)));
  if (query.until !== undefined) parts.push(bound('<', firstIndex(`time > ${values.add(query.until)}`)));
  for (const column of ['kind', 'actor', 'credential'] as const) {
    if (query[column] !== undefined && column !== led) parts.push(`${column} = ${values.add(query[column])}`);
  }
  const direction = query.descending === true ? 'DESC' : 'ASC';
  const order = [...(led === null ? [] : [led]), 'idx'].map((column) => `${column} ${direction}`).join(', ');
  const text = `SELECT idx, json, leaf FROM entries WHERE ${parts.join(' AND ')} ORDER BY ${order}`;
  return values.statement(`${text} LIMIT ${values.add(limit)}`);
}

/**
 * How a database is led to the index of the kind or the actor. Asked for a kind in order of `idx`, PostgreSQL may walk
 * along the whole log instead, in the belief that rows of that kind lie everywhere in it; `led` asks in the very order of
 * the index, by rows compared. SQLite takes the index by itself, and would not for rows compared.
 */
export type Along = 'idx' | 'led';

/** Few entries have one credential, and that is known; a kind or an actor may be on most of them. */
function leadOf({ credential, actor, kind }: EntryQuery): 'actor' | 'kind' | null {
  if (credential !== undefined) return null;
  return actor !== undefined ? 'actor' : kind !== undefined ? 'kind' : null;
}

function firstIndex(condition: string): string {
  const first = `SELECT idx FROM entries WHERE ${condition} ORDER BY time, idx LIMIT 1`;
  return `COALESCE((${first}), ${Number.MAX_SAFE_INTEGER})`;
}

/** Checkpoints of more than `after` entries, smallest first: `size`, `note`. */
export function checkpointsStatement(after: number, limit: number, placeholder: Placeholder): Statement {
  const values = new Values(placeholder);
  const text = `SELECT size, note FROM checkpoints WHERE size > ${values.add(after)} ORDER BY size`;
  return values.statement(`${text} LIMIT ${values.add(limit)}`);
}

export const NEWEST_CHECKPOINT = 'SELECT size, note FROM checkpoints ORDER BY size DESC LIMIT 1';
