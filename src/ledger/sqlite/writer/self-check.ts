import type { LogVerifier } from '../../../audit/checkpoint.ts';
import { leafHash } from '../../../audit/merkle.ts';
import { TreeFrontier } from '../../../audit/tree.ts';
import { isKeyturnError, KeyturnError } from '../../../core/errors.ts';
import type { Statements } from '../database/connection.ts';
import type { SignedHead } from '../database/proof.ts';
import { TreeRows } from '../database/tree-rows.ts';
import type { LogEnd } from './log-tail.ts';

const HASH_BYTES = 32;

/**
 * Before anything is appended: the head's frontier must give the root that our own key signed last, and the newest
 * `recheck` entries, hashed anew from their text, must lead to that root.
 * @throws KeyturnError `ledger_corrupt` saying what does not fit.
 */
export function checkLog(statements: Statements, verifier: LogVerifier, recheck: number): LogEnd & SignedHead {
  const end = readHead(statements);
  const size = end.frontier.size;
  const checkpoint = checkCheckpoint(statements, verifier, end.frontier);
  checkEntries(statements, end.frontier, Math.max(0, size - recheck));
  return { ...end, size, checkpoint };
}

function readHead(statements: Statements): LogEnd {
  const row = statements.prepare('SELECT size, frontier, time FROM head WHERE id = 1').get();
  if (row === undefined || !(row['frontier'] instanceof Uint8Array)) throw corrupt('it has no head');
  const packed = Buffer.from(row['frontier']);
  const hashes: Buffer[] = [];
  for (let at = 0; at < packed.length; at += HASH_BYTES) hashes.push(packed.subarray(at, at + HASH_BYTES));
  return { frontier: TreeFrontier.restore(Number(row['size']), hashes), time: Number(row['time']) };
}

function checkCheckpoint(statements: Statements, verifier: LogVerifier, frontier: TreeFrontier): string {
  const row = statements.prepare('SELECT size, note FROM checkpoints ORDER BY size DESC LIMIT 1').get();
  if (row === undefined) throw corrupt('it has no checkpoint');
  const note = String(row['note']);
  const signed = openOwn(verifier, note);
  if (signed.size !== Number(row['size']) || signed.size !== frontier.size) {
    throw corrupt(`its head is at ${frontier.size}, its newest checkpoint at ${signed.size}`);
  }
  if (!signed.root.equals(frontier.root())) throw corrupt('its tree has another root than its newest checkpoint');
  return note;
}

function openOwn(verifier: LogVerifier, note: string) {
  try {
    return verifier.open(note);
  } catch (error) {
    if (!isKeyturnError(error)) throw error;
    throw new KeyturnError('ledger_corrupt', `The ledger's newest checkpoint is not signed by this log key.`, {
      fix: 'Give the origin and the log key that belong to this ledger; else restore it from a backup.',
    });
  }
}

function checkEntries(statements: Statements, frontier: TreeFrontier, from: number): void {
  const rebuilt = frontierAt(statements, from);
  const rows = statements.prepare('SELECT idx, json, leaf FROM entries WHERE idx >= ? ORDER BY idx').iterate(from);
  for (const row of rows) {
    const expected = rebuilt.size;
    if (Number(row['idx']) !== expected) throw corrupt(`entry ${expected} is missing`);
    const hash = leafHash(Buffer.from(String(row['json']), 'utf8'));
    if (!(row['leaf'] instanceof Uint8Array) || !hash.equals(row['leaf'])) {
      throw corrupt(`entry ${expected} does not fit its leaf hash`);
    }
    rebuilt.append(hash);
  }
  if (rebuilt.size !== frontier.size) throw corrupt(`it has ${rebuilt.size} entries, its head says ${frontier.size}`);
  if (!rebuilt.root().equals(frontier.root())) {
    throw corrupt(`its entries from ${from} on lead to another root than its head`);
  }
}

/** The frontier of the tree's first `size` leaves is made of complete subtrees: one for each one bit of `size`. */
function frontierAt(statements: Statements, size: number): TreeFrontier {
  const nodes = new TreeRows(statements);
  const hashes: Buffer[] = [];
  let start = 0;
  for (let level = 52; level >= 0; level -= 1) {
    const width = 2 ** level;
    if (size - start < width) continue;
    hashes.push(nodes.node(level, start / width));
    start += width;
  }
  return TreeFrontier.restore(size, hashes);
}

function corrupt(what: string): KeyturnError {
  return new KeyturnError('ledger_corrupt', `The ledger is not opened: ${what}.`, {
    fix: 'Keep a copy of the ledger for the investigation, then restore it from a backup that matches the outside checkpoint.',
  });
}
