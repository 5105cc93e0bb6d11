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
export function entriesStatement(query: EntryQuery, placeholder: Placeholder): Statement {
  const { limit = DEFAULT_ENTRIES } = query;
  if (!Number.isSafeInteger(limit) || limit < 0 || limit > MAX_ENTRIES) {
    throw new KeyturnError('invalid_input', `At most ${MAX_ENTRIES} entries are read at a time.`);
  }
  const values = new Values(placeholder);
  const parts = [`idx >= ${values.add(query.from ?? 0)}`, `idx < ${values.add(query.to ?? Number.MAX_SAFE_INTEGER)}`];
  if (query.since !== undefined) parts.push(`idx >= ${firstIndex(`time >= ${values.add(query.since)}`)}`);
  if (query.until !== undefined) parts.push(`idx < ${firstIndex(`time > ${values.add(query.until)}`)}`);
  for (const column of ['kind', 'actor', 'credential'] as const) {
    if (query[column] !== undefined) parts.push(`${column} = ${values.add(query[column])}`);
  }
  const order = query.descending === true ? 'DESC' : 'ASC';
  const text = `SELECT idx, json, leaf FROM entries WHERE ${parts.join(' AND ')} ORDER BY idx ${order}`;
  return values.statement(`${text} LIMIT ${values.add(limit)}`);
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
