import type { Checkpoint, LogVerifier } from '../../audit/checkpoint.ts';
import { leafHash } from '../../audit/merkle.ts';
import type { TreeFrontier } from '../../audit/tree.ts';
import { isKeyturnError, KeyturnError } from '../../core/errors.ts';
import type { SignedHead } from './proof.ts';

/**
 * What is looked at before anything is appended: the head's frontier must give the root that our own key signed last,
 * and the newest entries, hashed anew from their text, must lead to that root.
 */

/**
 * Returns the newest checkpoint, opened.
 * @throws KeyturnError `ledger_corrupt` when `newest` is not ours, or signs another tree than the head's.
 */
export function checkHead(frontier: TreeFrontier, newest: SignedHead | null, verifier: LogVerifier): Checkpoint {
  if (newest === null) throw corrupt('it has no checkpoint');
  const signed = openOwn(verifier, newest.checkpoint);
  if (signed.size !== newest.size || signed.size !== frontier.size) {
    throw corrupt(`its head is at ${frontier.size}, its newest checkpoint at ${signed.size}`);
  }
  if (signed.root.equals(frontier.root())) return signed;
  throw corrupt('its tree has another root than its newest checkpoint');
}

function openOwn(verifier: LogVerifier, note: string): Checkpoint {
  try {
    return verifier.open(note);
  } catch (error) {
    if (!isKeyturnError(error)) throw error;
    throw new KeyturnError('ledger_corrupt', `The ledger's newest checkpoint is not signed by this log key.`, {
      fix: 'Give the origin and the log key that belong to this ledger; else restore it from a backup.',
    });
  }
}

/** What is read of an entry's row. */
export const ENTRY_COLUMNS = 'idx, time, kind, actor, credential, json, leaf';

/** The columns that an entry is found by, and what its text says there. */
const FOUND_BY = ['kind', 'actor', 'credential'] as const;

/** Rebuilds the tree from a place on, entry by entry. */
export class EntriesCheck {
  readonly #rebuilt: TreeFrontier;
  readonly #from: number;

  /** `start` is the frontier of the tree before the first entry that will come. */
  constructor(start: TreeFrontier) {
    this.#rebuilt = start;
    this.#from = start.size;
  }

  /**
   * Takes the {@link ENTRY_COLUMNS} of the next row as a database gives them.
   * @throws KeyturnError `ledger_corrupt` for an entry that is missing or not the one that was hashed, and one that is found
   * as what it is not: nothing that is signed says so.
   */
  add(row: Readonly<Record<string, unknown>>): void {
    const [expected, json, leaf] = [this.#rebuilt.size, String(row['json']), row['leaf']];
    if (Number(row['idx']) !== expected) throw corrupt(`entry ${expected} is missing`);
    const hash = leafHash(Buffer.from(json, 'utf8'));
    if (!(leaf instanceof Uint8Array && hash.equals(leaf)))
      throw corrupt(`entry ${expected} does not fit its leaf hash`);
    const wrong = wrongColumn(row, JSON.parse(json) as Record<string, unknown>);
    if (wrong !== null) throw corrupt(`entry ${expected} is found by another ${wrong} than stands in it`);
    this.#rebuilt.append(hash);
  }

  /** @throws KeyturnError `ledger_corrupt` unless the entries lead to the head. */
  assertLeadsTo(head: TreeFrontier): void {
    if (this.#rebuilt.size !== head.size) {
      throw corrupt(`it has ${this.#rebuilt.size} entries, its head says ${head.size}`);
    }
    if (this.#rebuilt.root().equals(head.root())) return;
    throw corrupt(`its entries from ${this.#from} on lead to another root than its head`);
  }
}

function wrongColumn(row: Readonly<Record<string, unknown>>, entry: Readonly<Record<string, unknown>>): string | null {
  if (Number(row['time']) !== Date.parse(String(entry['time']))) return 'time';
  return FOUND_BY.find((column) => (row[column] ?? null) !== (entry[column] ?? null)) ?? null;
}

export function corrupt(what: string): KeyturnError {
  return new KeyturnError('ledger_corrupt', `The ledger is not opened: ${what}.`, {
    fix: 'Keep a copy of the ledger for the investigation, then restore it from a backup that matches the outside checkpoint.',
  });
}
