import { KeyturnError } from '../../core/errors.ts';
import type { StoredEntry } from '../ledger.ts';
import type { SignedHead } from './proof.ts';

/** Rows of the log's tables as a database gives them, in the port's words. */

export function signedHead(row: Readonly<Record<string, unknown>>): SignedHead {
  return { size: Number(row['size']), checkpoint: String(row['note']) };
}

/** @throws KeyturnError `ledger_corrupt`. */
export function storedEntry(row: Readonly<Record<string, unknown>>): StoredEntry {
  const leaf = row['leaf'];
  if (!(leaf instanceof Uint8Array)) throw new KeyturnError('ledger_corrupt', 'An entry has no leaf hash.');
  return { index: Number(row['idx']), json: String(row['json']), leafHash: Buffer.from(leaf).toString('base64') };
}

export function noEntry(index: number): KeyturnError {
  return new KeyturnError('not_found', `The log has no entry ${index}.`, { facts: { index } });
}

export function noNode(level: number, index: number): KeyturnError {
  return new KeyturnError('ledger_corrupt', `The ledger lacks node ${index} on level ${level} of its tree.`, {
    fix: 'Keep a copy of the ledger, then restore it from a backup that matches the outside checkpoint.',
  });
}
