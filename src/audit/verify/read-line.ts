import type { Checkpoint, CheckpointOpener } from '../checkpoint.ts';
import type { AuditEntry } from '../entry.ts';
import { type ExportLine, parseExportLine } from '../export.ts';
import { leafHash } from '../merkle.ts';
import { parseEntry } from '../recorded.ts';

/**
 * A line of an export as far as it can be judged by itself. `position` is where it says it belongs: an entry at its
 * index, a checkpoint or the end behind that many entries; null when that cannot be known.
 */
export type ReadLine = ReadEntry | ReadCheckpoint | ReadEnd | ReadHeader | { kind: 'unreadable'; position: null };

export interface ReadEntry {
  readonly kind: 'entry';
  readonly position: number | null;
  /** Index in front of the entry. */
  readonly numbered: number | null;
  /** Leaf hash in front of the entry. */
  readonly stored: Buffer | null;
  /** Leaf hash of the entry's text. */
  readonly recomputed: Buffer;
  /** Both leaf hashes are the same. */
  readonly intact: boolean;
  /** Null when the text is no entry. */
  readonly entry: AuditEntry | null;
}

export interface ReadCheckpoint {
  readonly kind: 'checkpoint';
  readonly position: number | null;
  /** Null when it does not verify. */
  readonly checkpoint: Checkpoint | null;
}

export interface ReadEnd {
  readonly kind: 'end';
  readonly position: number;
}

export interface ReadHeader {
  readonly kind: 'header';
  readonly position: null;
  readonly origin: string;
}

/** Reads one line (attacker-controlled). Never throws. */
export function readLine(text: string, verifier: CheckpointOpener): ReadLine {
  const line = parseExportLine(text);
  switch (line.kind) {
    case 'entry':
      return readEntry(line);
    case 'checkpoint': {
      const checkpoint = line.note === null ? null : openOrNull(verifier, line.note);
      return { kind: 'checkpoint', position: checkpoint?.size ?? null, checkpoint };
    }
    case 'end':
      return { kind: 'end', position: line.size };
    case 'header':
    case 'unreadable':
      return { ...line, position: null };
  }
}

/** The checkpoint, or null unless it is one of this log, signed by one of its keys. */
export function openOrNull(verifier: CheckpointOpener, note: string): Checkpoint | null {
  try {
    return verifier.open(note);
  } catch {
    return null;
  }
}

function readEntry(line: Extract<ExportLine, { kind: 'entry' }>): ReadEntry {
  // The exact octets, not what a parser makes of them.
  const recomputed = leafHash(Buffer.from(line.json, 'utf8'));
  const intact = line.leafHash?.equals(recomputed) === true;
  const entry = parseOrNull(line.json);
  return {
    kind: 'entry',
    // While the leaf hash stands, the recorded text itself says where it belongs; else the number in front of it does.
    position: intact && entry !== null ? entry.index : line.index,
    numbered: line.index,
    stored: line.leafHash,
    recomputed,
    intact,
    entry,
  };
}

function parseOrNull(json: string): AuditEntry | null {
  try {
    return parseEntry(json);
  } catch {
    return null;
  }
}
