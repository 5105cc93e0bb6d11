import { decodeBase64 } from '../core/encoding/base64.ts';
import { isKeyturnError, KeyturnError } from '../core/errors.ts';
import type { Checkpoint, LogVerifier, TreeHead } from './checkpoint.ts';
import type { AuditEntry } from './entry.ts';
import { FIRST_GENERATION, type GenerationStatement, openGeneration, succession } from './generation.ts';
import { HASH_BYTES, leafHash, verifyConsistency, verifyInclusion } from './merkle.ts';
import { parseEntry } from './recorded.ts';

/**
 * Proof that one access is on the one log. All hashes are base64 (RFC 4648 section 4, padded) of 32 octets.
 */
export interface Receipt {
  /** Leaf index of the entry. */
  readonly index: number;
  /** The exact canonical JSON text of the entry: its UTF-8 octets are the leaf. */
  readonly entry: string;
  /** RFC 9162 section 2.1.3 inclusion path, leaf to root, at the checkpoint's size. */
  readonly inclusion: readonly string[];
  /** Signed note text (C2SP tlog-checkpoint). */
  readonly checkpoint: string;
  /** RFC 9162 section 2.1.4 path from the size the client had seen; absent when it had seen none. */
  readonly consistency?: { readonly from: number; readonly path: readonly string[] };
  /**
   * Signed statements of every generation that began after the one the client knows, in the order of the log; absent
   * when there is none. The consistency path then starts where the smallest of their bases and `seen` are.
   */
  readonly generations?: readonly string[];
}

/** The largest tree that a client has verified. */
export interface SeenTree extends TreeHead {
  /** Default 1. */
  readonly generation?: number;
}

/** The log was restored since the client last saw it. */
export interface LogRestart {
  readonly from: number;
  readonly to: number;
  /** Where the new generation goes on. */
  readonly base: TreeHead;
  /** Entries that the client has seen and that are not on the log any more: this many at least. */
  readonly lost: number;
  /** Whether the log was proven to continue all that the client had seen. */
  readonly continues: boolean;
}

/** What a receipt proved: this entry stands at `index` of the log's tree with this size and root. */
export interface ProvenEntry {
  readonly entry: AuditEntry;
  readonly index: number;
  /** To be kept, with `root`, as `seen` for the next receipt. */
  readonly size: number;
  readonly root: Buffer;
  /** To be kept too. */
  readonly generation: number;
  /** Null when the log goes on in the generation that the client knew, or it knew none. */
  readonly restart: LogRestart | null;
}

/** Hashes of a proof that are decoded at most; merkle.ts has the exact limit. */
const MAX_HASHES = 64;
/** Each generation is one restore of a whole instance. */
const MAX_STATEMENTS = 64;

/**
 * Verifies a receipt (attacker-controlled, its shape included) against the log's public keys and the largest tree the
 * caller has verified before, null for none. Whether the entry is about *this* access is for the caller to compare.
 *
 * A caller with `seen` asked for a tree at least as large, so a smaller one is a fork: it may be an old checkpoint of
 * the same log, but no proof can tell, and a log that answers with less than it has shown is not the one log.
 *
 * @throws KeyturnError `log_forked` when the checkpoint is signed by the log, but its tree is smaller than, different
 * from, or not proven to continue the one seen; `receipt_invalid` for everything else that does not verify.
 */
export function verifyReceipt(receipt: Receipt, verifier: LogVerifier, seen: SeenTree | null): ProvenEntry {
  const checkpoint = refused(() => verifier.open(receipt.checkpoint));
  // The fork comes first: it is the graver finding, and it needs the signature alone.
  const restart = seen === null ? null : judgeContinuation(receipt, verifier, checkpoint, seen);
  const entry = refused(() => parseEntry(receipt.entry));
  if (entry.index !== receipt.index) throw invalid('Its index is not that of its entry.');
  const included = verifyInclusion({
    index: entry.index,
    size: checkpoint.size,
    leafHash: leafHash(Buffer.from(receipt.entry, 'utf8')),
    root: checkpoint.root,
    path: decodePath(receipt.inclusion),
  });
  if (!included) throw invalid('The entry is not proven to be in the tree.');
  const { size, root, generation } = checkpoint;
  return { entry, index: entry.index, size, root, generation, restart };
}

/** @throws KeyturnError `log_forked`, `receipt_invalid`. */
function judgeContinuation(
  receipt: Receipt,
  verifier: LogVerifier,
  checkpoint: Checkpoint,
  seen: SeenTree,
): LogRestart | null {
  const from = seen.generation ?? FIRST_GENERATION;
  const to = checkpoint.generation;
  if (to === from) {
    assertContinues(receipt, checkpoint, seen);
    return null;
  }
  if (to < from) throw forked('The log shows a generation that was given up.', checkpoint, seen);
  const statements = decodeStatements(receipt.generations, verifier);
  const way = succession(statements, from, to);
  if (way === null) throw invalid('The log is of another generation, and nothing shows how it came to it.');
  const { base, direct } = way;
  if (checkpoint.size <= base.size)
    throw forked('The log shows less than its own generation begins with.', checkpoint, seen);
  const continues = direct && seen.size <= base.size;
  // Nothing can prove that lost entries followed the base: the statement, signed by the log, is all there is.
  assertContinues(receipt, checkpoint, continues ? seen : base);
  return { from, to, base, continues, lost: Math.max(0, seen.size - base.size) };
}

function decodeStatements(notes: unknown, verifier: LogVerifier): GenerationStatement[] {
  if (!Array.isArray(notes) || notes.length > MAX_STATEMENTS)
    throw invalid('The statements of generations are missing.');
  return notes.map((note: unknown) => refused(() => openGeneration(verifier, String(note))));
}

function assertContinues(receipt: Receipt, checkpoint: Checkpoint, seen: TreeHead): void {
  if (checkpoint.size < seen.size)
    throw forked('The log shows fewer entries than it has shown before.', checkpoint, seen);
  // `consistency.from` is bound by nothing: the path is judged from the size that the caller knows.
  const grown = seen.size > 0 && checkpoint.size > seen.size;
  const path = grown ? decodePath(receipt.consistency?.path) : [];
  const claim = { from: seen.size, to: checkpoint.size, fromRoot: seen.root, toRoot: checkpoint.root, path };
  if (!verifyConsistency(claim)) throw forked('The log does not continue the one seen before.', checkpoint, seen);
}

/** @throws KeyturnError `receipt_invalid` for what is not a short list of hashes. */
function decodePath(path: unknown): Buffer[] {
  if (!Array.isArray(path) || path.length > MAX_HASHES) throw invalid('A proof is missing or too long.');
  return path.map((text: unknown) => {
    const hash = typeof text === 'string' ? decodeBase64(text, HASH_BYTES) : null;
    if (hash === null) throw invalid('A proof holds something that is no hash.');
    return hash;
  });
}

function refused<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    // A foreign error comes from a field of another type than the shape says.
    throw invalid(isKeyturnError(error, 'audit_invalid') ? error.message : 'A field has the wrong type.');
  }
}

function invalid(what: string): KeyturnError {
  return new KeyturnError('receipt_invalid', `The receipt is refused. ${what}`);
}

function forked(what: string, checkpoint: Checkpoint, seen: TreeHead): KeyturnError {
  return new KeyturnError('log_forked', what, {
    fix: 'Keep the receipt and the checkpoint seen before: together they are the evidence. Tell the operators of the log.',
    facts: { origin: checkpoint.origin, size: checkpoint.size, seen: seen.size },
  });
}
