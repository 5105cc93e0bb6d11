import { isNativeError } from 'node:util/types';
import type { DatabaseFault } from '../../batch/fault.ts';

/** SQLITE_CONSTRAINT, the low octet of every extended code of that family (sqlite.org/rescode.html). */
const CONSTRAINT = 19;
const FOREIGN_KEY = 787;
const PRIMARY_KEY = 1555;
const UNIQUE = 2067;

/** Null for an error that is not SQLite's. */
export function sqliteFault(error: unknown): DatabaseFault | null {
  if (!isNativeError(error) || !('code' in error) || error.code !== 'ERR_SQLITE_ERROR') return null;
  const errcode = 'errcode' in error ? Number(error.errcode) : Number.NaN;
  const message = `${error.message} (SQLite ${errcode})`;
  if ((errcode & 0xff) !== CONSTRAINT) return { kind: 'broken', message };
  if (errcode === PRIMARY_KEY || errcode === UNIQUE) return { kind: 'same-key', message };
  return { kind: errcode === FOREIGN_KEY ? 'missing-target' : 'other-constraint', message };
}

/** For people: SQLite's messages name tables and columns, never values. */
export function describe(error: unknown): string {
  return sqliteFault(error)?.message ?? (isNativeError(error) ? error.message : 'unknown error');
}
