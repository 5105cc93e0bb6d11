import { createReadStream } from 'node:fs';
import { isAbsolute } from 'node:path';
import type { Checkpoint, LogVerifier } from '../../audit/checkpoint.ts';
import type { AuditEntry } from '../../audit/entry.ts';
import { parseExportLine, readLines } from '../../audit/export.ts';
import { MAX_NOTE_BYTES } from '../../audit/note.ts';
import { parseEntry } from '../../audit/recorded.ts';
import { verifyExport } from '../../audit/verify.ts';
import { isKeyturnError, KeyturnError } from '../../core/errors.ts';
import { readAtMost } from '../../core/io/read-at-most.ts';
import type { SignedHead } from '../../ledger/log/proof.ts';
import { exists } from '../exists.ts';

/** Of an entry that is lost, what the tail says. */
export interface LostEntry {
  readonly index: number;
  readonly kind: string;
  readonly actor: string;
  readonly credential?: string;
  readonly version?: number;
}

/** What was recorded after the backup, as far as anything kept outside tells. */
export interface Loss {
  /** First entry that is lost, and the first that is known not to be: at least `to - from` are. Null: nothing tells. */
  readonly range: { readonly from: number; readonly to: number; readonly generation: number } | null;
  /** What outside checkpoint was compared; null for none. */
  readonly outside: { readonly size: number; readonly generation: number } | null;
  /** Named by a tail, in order; null without one. */
  readonly entries: readonly LostEntry[] | null;
}

/** Entries of the tail that are told. */
const MOST_TOLD = 100_000;

/** Kinds of entries that are taken over, each one of them however long the tail is. */
const STOPS: ReadonlySet<string> = new Set(['hold.placed', 'hold.lifted', 'token.revoked']);

/** A checkpoint that was kept outside, opened by the log's key. */
export interface OutsideCheckpoint {
  readonly path: string;
  /** Signed note. */
  readonly note: string;
  readonly head: Checkpoint;
}

/**
 * The one that is given, or that the configuration names if that is an absolute path; null when there is none.
 * @throws KeyturnError `invalid_input` for one that can't be read, `audit_invalid` for what is none of this log.
 */
export async function outsideCheckpoint(
  given: string | undefined,
  configured: string,
  verifier: LogVerifier,
): Promise<OutsideCheckpoint | null> {
  const path = given ?? (isAbsolute(configured) && (await exists(configured)) ? configured : null);
  if (path === null) return null;
  const octets = await readAtMost(path, MAX_NOTE_BYTES).catch(() => null);
  if (octets === null) {
    throw new KeyturnError('invalid_input', `The checkpoint ${path} can't be read, or is too large for one.`, {
      fix: 'Check the path.',
    });
  }
  const note = octets.toString('utf8');
  try {
    return { path, note, head: verifier.open(note) };
  } catch (error) {
    if (!isKeyturnError(error, 'audit_invalid')) throw error;
    throw new KeyturnError(
      'audit_invalid',
      `${path} is no checkpoint of ${verifier.origin} by the key of this backup.`,
      {
        fix:
          'Nothing was restored. Give the file that checkpoint.path of the lost server names (--checkpoint FILE). If it is ' +
          'that one, backup and checkpoint are of different logs: one of them is not yours.',
      },
    );
  }
}

/** Whether an outside checkpoint covers more than the backup, so that it can't be compared with it. */
export function isAhead(outside: Checkpoint, head: Checkpoint): boolean {
  return outside.generation > head.generation || (outside.generation === head.generation && outside.size > head.size);
}

export interface Evidence {
  readonly verifier: LogVerifier;
  /** Of the backup. */
  readonly head: SignedHead;
  readonly outside: OutsideCheckpoint | null;
  /** Path of an audit export that reaches further than the backup. */
  readonly tail: string | undefined;
  /** Entries of the tail that are told; default 100,000. */
  readonly mostTold?: number;
}

/** A loss, and the entries of the tail by which somebody was stopped, or let go again. */
export type Measured = Loss & { readonly stops: readonly AuditEntry[] };

/** @throws KeyturnError `audit_invalid` for a tail that is not intact, or of another log than the backup. */
export async function measureLoss(evidence: Evidence): Promise<Measured> {
  const { verifier, outside, tail } = evidence;
  const head = verifier.open(evidence.head.checkpoint);
  const kept = outside?.head ?? null;
  const { size, entries, stops } =
    tail === undefined ? { size: 0, entries: null, stops: [] } : await readTail(tail, evidence);
  const later = kept !== null && kept.generation > head.generation;
  // Where a later generation left this one is not known; its own first entry at least is gone.
  const from = later ? Math.min(head.size, kept.size - 1) : head.size;
  const to = Math.max(later ? 0 : head.size, kept !== null && isAhead(kept, head) ? kept.size : 0, size);
  const generation = later ? kept.generation : head.generation;
  return {
    range: kept === null && tail === undefined ? null : { from, to, generation },
    outside: kept === null ? null : { size: kept.size, generation: kept.generation },
    entries,
    stops,
  };
}

/** Verified whole: it must go on from the very tree of the backup, and hold what the outside checkpoint covers. */
async function readTail(
  path: string,
  { verifier, head, outside, mostTold = MOST_TOLD }: Evidence,
): Promise<{ size: number; entries: LostEntry[]; stops: AuditEntry[] }> {
  const since = [head.checkpoint, ...(outside === null ? [] : [outside.note])].filter(
    (note) => verifier.open(note).size > 0,
  );
  const report = await verifyExport(readLines(createReadStream(path)), verifier, { since });
  // The outside checkpoint may be newer than the export; that cut is part of the loss.
  const grave = report.findings.filter((finding) => finding.kind !== 'cut' || report.entries < head.size);
  if (grave.length > 0 || report.lost.length > 0) {
    throw new KeyturnError(
      'audit_invalid',
      `The tail ${path} is not intact: ${grave[0]?.message ?? 'it is of another generation'}`,
      {
        fix: 'Give an unchanged audit export of this log, taken after the backup; or none.',
      },
    );
  }
  const entries: LostEntry[] = [];
  const stops: AuditEntry[] = [];
  for await (const text of readLines(createReadStream(path))) {
    const line = parseExportLine(text);
    if (line.kind !== 'entry' || (line.index ?? 0) < head.size) continue;
    const entry = parseEntry(line.json);
    if (entries.length < mostTold) entries.push(told(entry));
    if (STOPS.has(entry.kind)) stops.push(entry);
  }
  return { size: report.entries, entries, stops };
}

function told({ index, kind, actor, credential, version }: AuditEntry): LostEntry {
  return {
    index,
    kind,
    actor,
    ...(credential === undefined ? {} : { credential }),
    ...(version === undefined ? {} : { version }),
  };
}

/** @throws KeyturnError `loss_not_accepted`, unless nothing is known to be lost, and something tells. */
export function refuseLoss({ range }: Loss): void {
  if (range !== null && range.to <= range.from) return;
  const fix = 'Look for a newer backup. If there is none: the same command with --accept-loss.';
  if (range === null) {
    const message = 'Nothing was given that tells what was recorded after the backup: all of it is lost, unnamed.';
    throw new KeyturnError('loss_not_accepted', message, {
      fix: `Give --checkpoint with the newest checkpoint kept outside. ${fix}`,
    });
  }
  const { from, to, generation } = range;
  const message = `${to - from} entries (${from} to ${to - 1}) were recorded after the backup and are lost.`;
  throw new KeyturnError('loss_not_accepted', message, { fix, facts: { from, to, count: to - from, generation } });
}
