import { isUtf8 } from 'node:buffer';
import { decodeBase64 } from '../core/encoding/base64.ts';
import { MAX_NOTE_BYTES } from './note.ts';

const HEADER = 'keyturn-audit-export/1';
const COUNT = /^(0|[1-9][0-9]{0,15})$/;
const LINE_FEED = 0x0a;

/** Octets of the longest line: a checkpoint, whose note is at most 128 KiB before base64. An entry is far below. */
export const MAX_LINE_BYTES = Math.ceil(MAX_NOTE_BYTES / 3) * 4 + 64;

/** Put at the end of a damaged line, where it makes every kind of line invalid: an entry's JSON ends in a brace. */
const DAMAGED = '\ufffd';

/** One entry as the ledger keeps it. */
export interface ExportedEntry {
  readonly index: number;
  /** Exact canonical JSON. */
  readonly json: string;
  /** Leaf hash, base64. */
  readonly leafHash: string;
}

export interface SignedSize {
  readonly size: number;
  /** Note text. */
  readonly checkpoint: string;
}

export interface ExportSource {
  readonly origin: string;
  /** Tree size that is exported: that of a signed checkpoint, read before the entries. */
  readonly size: number;
  /** Entries 0 … size - 1, ascending. Written as they come: what the ledger lost shows in the verification. */
  readonly entries: AsyncIterable<ExportedEntry>;
  /** Ascending; those over `size` are left out. An empty log needs its checkpoint of size 0. */
  readonly checkpoints: AsyncIterable<SignedSize>;
}

/** The lines of an export of the whole log, without their line feeds. One entry and one checkpoint are in memory. */
export async function* exportLines(source: ExportSource): AsyncGenerator<string> {
  yield headerLine(source.origin);
  const checkpoints = source.checkpoints[Symbol.asyncIterator]();
  let due = await checkpoints.next();
  for await (const entry of source.entries) {
    while (due.done !== true && due.value.size <= entry.index) {
      yield checkpointLine(due.value.checkpoint);
      due = await checkpoints.next();
    }
    yield entryLine(entry);
  }
  for (; due.done !== true && due.value.size <= source.size; due = await checkpoints.next()) {
    yield checkpointLine(due.value.checkpoint);
  }
  yield endLine(source.size);
}

export function headerLine(origin: string): string {
  return `${HEADER} ${origin}`;
}

export function entryLine(entry: ExportedEntry): string {
  return `entry ${entry.index} ${entry.leafHash} ${entry.json}`;
}

export function checkpointLine(note: string): string {
  return `checkpoint ${Buffer.from(note, 'utf8').toString('base64')}`;
}

export function endLine(size: number): string {
  return `end ${size}`;
}

/** One line as read. `null` stands for a field that cannot be read in a line that can. */
export type ExportLine =
  | { readonly kind: 'header'; readonly origin: string }
  | { readonly kind: 'entry'; readonly index: number | null; readonly leafHash: Buffer | null; readonly json: string }
  | { readonly kind: 'checkpoint'; readonly note: string | null }
  | { readonly kind: 'end'; readonly size: number }
  | { readonly kind: 'unreadable' };

/** Reads one line, without its line feed (attacker-controlled). Never throws. */
export function parseExportLine(line: string): ExportLine {
  const [keyword, rest] = cut(line);
  if (rest === null) return { kind: 'unreadable' };
  if (keyword === 'entry') return parseEntryLine(rest);
  if (keyword === 'checkpoint') return { kind: 'checkpoint', note: decodeNote(rest) };
  if (keyword === HEADER) return { kind: 'header', origin: rest };
  const size = keyword === 'end' ? parseCount(rest) : null;
  return size === null ? { kind: 'unreadable' } : { kind: 'end', size };
}

function parseEntryLine(fields: string): ExportLine {
  const [index, afterIndex] = cut(fields);
  const [leafHash, json] = cut(afterIndex ?? '');
  if (json === null) return { kind: 'unreadable' };
  return { kind: 'entry', index: parseCount(index), leafHash: decodeBase64(leafHash, 32), json };
}

function decodeNote(text: string): string | null {
  const octets = decodeBase64(text);
  return octets !== null && isUtf8(octets) ? octets.toString('utf8') : null;
}

function parseCount(text: string): number | null {
  return COUNT.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : null;
}

/** What stands before the first space, and what after it; null when there is no space. */
function cut(text: string): [string, string | null] {
  const at = text.indexOf(' ');
  return at < 0 ? [text, null] : [text.slice(0, at), text.slice(at + 1)];
}

/**
 * The lines of a file that is read in chunks (attacker-controlled), without their line feeds. A line that is longer
 * than {@link MAX_LINE_BYTES}, not UTF-8, or not ended by a line feed comes out with U+FFFD at its end, so that it
 * cannot pass for the line that was written; of a line that is too long only the beginning is kept.
 */
export async function* readLines(chunks: AsyncIterable<Buffer | string>): AsyncGenerator<string> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  for await (const chunk of chunks) {
    const octets = typeof chunk === 'string' ? Buffer.from(chunk, 'utf8') : chunk;
    let start = 0;
    for (let end = octets.indexOf(LINE_FEED); end >= 0; end = octets.indexOf(LINE_FEED, start)) {
      yield decodeLine(Buffer.concat([...held, octets.subarray(start, end)]));
      [held, heldBytes, start] = [[], 0, end + 1];
    }
    // One octet over the limit is kept, to tell a line that is too long from one that just fits.
    const rest = octets.subarray(start, start + Math.max(0, MAX_LINE_BYTES + 1 - heldBytes));
    if (rest.length > 0) held.push(Buffer.from(rest));
    heldBytes += rest.length;
  }
  if (heldBytes > 0) yield `${decodeLine(Buffer.concat(held))}${DAMAGED}`;
}

function decodeLine(octets: Buffer): string {
  const whole = octets.length <= MAX_LINE_BYTES && isUtf8(octets);
  return whole ? octets.toString('utf8') : `${octets.toString('utf8', 0, MAX_LINE_BYTES)}${DAMAGED}`;
}
