import type { Checkpoint, CheckpointOpener } from '../checkpoint.ts';
import type { AuditEntry } from '../entry.ts';
import { type ExportLine, parseExportLine } from '../export.ts';
import { leafHash } from '../merkle.ts';
import { parseEntry } from '../recorded.ts';

type EntryLine = Extract<ExportLine, { kind: 'entry' }>;

/**
 * A line of an export as far as it can be judged by itself. `position` is where it says it belongs: an entry at its
 * index, a checkpoint behind that many entries; null when that cannot be known.
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
  /** Nobody signed it, so it does not tell where a line before it belongs. */
  readonly position: null;
  readonly size: number;
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

function readEntry(line: EntryLine): ReadEntry {
  // The exact octets, not what a parser makes of them.
  const recomputed = leafHash(Buffer.from(line.json, 'utf8'));
  const intact = line.leafHash?.equals(recomputed) === true;
  const entry = parseOrNull(line.json);
  return {
    kind: 'entry',
    position: positionOf(line, intact, entry),
    numbered: line.index,
    stored: line.leafHash,
    recomputed,
    intact,
    entry,
  };
}

function positionOf(line: EntryLine, intact: boolean, entry: AuditEntry | null): number | null {
  // While the leaf hash stands, the recorded text itself says where it belongs; else the number in front of it does,
  // unless nothing else in the line can be read: then the number is as doubtful as the rest.
  if (intact && entry !== null) return entry.index;
  return line.leafHash === null && entry === null ? null : line.index;
}

function parseOrNull(json: string): AuditEntry | null {
  try {
    return parseEntry(json);
  } catch {
    return null;
  }
}
