import type { Receipt } from '../../audit/receipt.ts';
import { consistencyPath, inclusionPath, type TreeNodes } from '../../audit/tree.ts';
import { KeyturnError } from '../../core/errors.ts';

export interface SignedHead {
  readonly size: number;
  /** Note text. */
  readonly checkpoint: string;
}

export interface ProvenEntry {
  readonly index: number;
  readonly json: string;
}

/**
 * The receipt of one entry at a head. `seen` of 0 asks for no consistency proof.
 * @throws KeyturnError `invalid_input` when `seen` is past the head.
 */
export function proveEntry(nodes: TreeNodes, head: SignedHead, entry: ProvenEntry, seen: number): Receipt {
  assertSeen(seen, head.size);
  const inclusion = inclusionPath(nodes, entry.index, head.size).map(base64);
  const receipt = { index: entry.index, entry: entry.json, inclusion, checkpoint: head.checkpoint };
  if (seen === 0) return receipt;
  return { ...receipt, consistency: { from: seen, path: consistencyPath(nodes, seen, head.size).map(base64) } };
}

/**
 * A client that has seen more than there is was misled, or the ledger was rolled back; either way nothing is proven to
 * it. `seen` is attacker-controlled.
 * @throws KeyturnError `log_forked`.
 */
export function assertSeen(seen: number, size: number): void {
  if (Number.isSafeInteger(seen) && seen >= 0 && seen <= size) return;
  throw new KeyturnError('log_forked', `The client says it has seen a larger log than this one of ${size} entries.`, {
    fix: 'If the client tells the truth, the ledger was rolled back: compare it with the checkpoint kept outside.',
    facts: { size },
  });
}

const texts = new WeakMap<Buffer, string>();

/** For a hash that many proofs will hold, and that nobody writes to: its text is made once. */
export function keepText(hash: Buffer): void {
  texts.set(hash, hash.toString('base64'));
}

function base64(hash: Buffer): string {
  return texts.get(hash) ?? hash.toString('base64');
}
