import { isNativeError } from 'node:util/types';
import { DatabaseError } from 'pg';
import { isKeyturnError } from '../../../core/errors.ts';
import type { DatabaseFault } from '../../batch/fault.ts';

/** PostgreSQL, appendix A: SQLSTATE. */
const FOREIGN_KEY = '23503';
const UNIQUE = '23505';
/** Integrity constraint violation. */
const CONSTRAINT_CLASS = '23';
/** Data exception: a value that its column can't hold. Its messages quote the value. */
const DATA_CLASS = '22';

/** Null for an error that is neither the database's nor the connection's. */
export function postgresFault(error: unknown): DatabaseFault | null {
  if (!(error instanceof DatabaseError))
    return isConnectionError(error) ? { kind: 'broken', message: describe(error) } : null;
  const { code = '' } = error;
  const message = describe(error);
  if (code === UNIQUE) return { kind: 'same-key', message };
  if (code === FOREIGN_KEY) return { kind: 'missing-target', message };
  const ownFault = code.startsWith(CONSTRAINT_CLASS) || code.startsWith(DATA_CLASS);
  return { kind: ownFault ? 'other-constraint' : 'broken', message };
}

/** Of what was sent, not of the database or the connection. */
export function isOwnFault(error: unknown): boolean {
  return isKeyturnError(error) || postgresFault(error)?.kind !== 'broken';
}

/** For people: names of tables and constraints, never values, which stand in the detail and in data exceptions. */
export function describe(error: unknown): string {
  if (error instanceof DatabaseError) {
    const text = error.code?.startsWith(DATA_CLASS) ? 'a value does not fit its column' : error.message;
    return `${text} (PostgreSQL ${error.code ?? 'without code'})`;
  }
  if (!isNativeError(error)) return 'unknown error';
  const code = 'code' in error ? String(error.code) : '';
  return error.message === '' || code === '' ? error.message || code : `${error.message} (${code})`;
}

/** Of the socket, with a code of the system; or of the driver, which has none and says it in words alone. */
function isConnectionError(error: unknown): boolean {
  if (!isNativeError(error)) return false;
  return 'code' in error || /connection|queryable|timeout/i.test(error.message);
}
