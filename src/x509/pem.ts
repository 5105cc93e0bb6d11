import { KeyturnError } from '../core/errors.ts';
import { decodeBase64, encodeBase64Lines, isSpace } from './encoding/base64.ts';

/** Reading is linear in the input; these caps keep it short as well. */
const MAX_TEXT_BYTES = 256 * 1024;
const MAX_BLOCK_BYTES = 64 * 1024;
const MAX_BLOCKS = 64;
const MAX_HEADERS = 8;
const MAX_LINE_OF_STRUCTURE = 256;

/** One block of a PEM text (RFC 7468). */
export interface PemBlock {
  /** e.g. `CERTIFICATE`, `EC PRIVATE KEY`. */
  readonly label: string;
  /** Header lines of the old form (RFC 1421 section 4.6), e.g. `DEK-Info`; empty as a rule. */
  readonly headers: ReadonlyMap<string, string>;
  /** The octets, in a Buffer of their own. For a private key: whoever reads it wipes it. */
  readonly der: Buffer;
}

/** A line without the white space around it. */
interface Line {
  readonly start: number;
  readonly end: number;
  /** Where the next line starts. */
  readonly next: number;
}

/**
 * The blocks of a PEM text that an attacker may have written. Allowed: a byte-order mark, any line end, text between
 * blocks, indentation. No block gives an empty list. The text itself is never turned into a string.
 * @throws KeyturnError `payload_too_large`; `invalid_input` for text that is not ASCII-compatible;
 * `key_unreadable` or `certificate_unreadable`, by the label, for a damaged block.
 */
export function readPem(text: Buffer): PemBlock[] {
  refuseTooLarge(text.length);
  refuseWideText(text);
  const blocks: PemBlock[] = [];
  try {
    for (let at = 0; at < text.length; ) {
      const line = lineAt(text, at);
      at = line.next;
      const label = boundary(text, line, 'BEGIN');
      if (label === null) {
        refuseStray(text, line);
        continue;
      }
      if (blocks.length >= MAX_BLOCKS) throw tooLarge(`The text holds more than ${MAX_BLOCKS} PEM blocks.`);
      at = readBlock(text, label, line.next, blocks);
    }
  } catch (error) {
    wipePem(blocks);
    throw error;
  }
  return blocks;
}

/** Zero-fills every block. */
export function wipePem(blocks: readonly PemBlock[]): void {
  for (const block of blocks) block.der.fill(0);
}

/** True for a label that announces a private key of any form. */
export function isKeyLabel(label: string): boolean {
  return label.endsWith('PRIVATE KEY');
}

/** PEM text of PUBLIC data: LF, 64 characters a line. A private key has {@link privateKeyPem}. */
export function wrapPem(label: string, der: Uint8Array): string {
  return `-----BEGIN ${label}-----\n${encodeBase64Lines(der).toString('latin1')}-----END ${label}-----\n`;
}

/** PKCS#8 DER as PEM bytes, never a string; the caller wipes what it gave and what it got. */
export function privateKeyPem(der: Buffer): Buffer {
  const body = encodeBase64Lines(der);
  const begin = Buffer.from('-----BEGIN PRIVATE KEY-----\n');
  const end = Buffer.from('-----END PRIVATE KEY-----\n');
  const out = Buffer.allocUnsafeSlow(begin.length + body.length + end.length);
  out.set(begin, 0);
  out.set(body, begin.length);
  out.set(end, begin.length + body.length);
  body.fill(0);
  return out;
}

/** Appends the block whose BEGIN line ended at `start`; answers where the text goes on. */
function readBlock(text: Buffer, label: string, start: number, blocks: PemBlock[]): number {
  const headers = new Map<string, string>();
  const body = readHeaders(text, label, start, headers);
  for (let at = body; at < text.length; ) {
    const line = lineAt(text, at);
    if (line.end > line.start && text[line.start] === 0x2d) {
      if (boundary(text, line, 'END') !== label) throw damaged(label, 'is not ended by its own END line');
      blocks.push({ label, headers, der: decodeBody(text, label, body, at) });
      return line.next;
    }
    at = line.next;
    if (at - body > MAX_BLOCK_BYTES) throw tooLarge(`A PEM block is larger than ${MAX_BLOCK_BYTES} bytes.`);
  }
  throw damaged(label, 'has no END line');
}

function decodeBody(text: Buffer, label: string, start: number, end: number): Buffer {
  const der = decodeBase64(text, start, end);
  if (der === null) throw damaged(label, 'holds characters that are not base64');
  if (der.length === 0) throw damaged(label, 'is empty');
  return der;
}

/** RFC 1421 section 4.6: `Name: value` lines, ended by an empty line. Answers where the base64 starts. */
function readHeaders(text: Buffer, label: string, start: number, headers: Map<string, string>): number {
  let at = start;
  while (at < text.length) {
    const line = lineAt(text, at);
    const colon = text.subarray(line.start, Math.min(line.end, line.start + 64)).indexOf(0x3a);
    if (colon === -1) return headers.size > 0 && line.start === line.end ? line.next : at;
    if (headers.size >= MAX_HEADERS || line.end - line.start > MAX_LINE_OF_STRUCTURE) {
      throw damaged(label, 'has too many or too long header lines');
    }
    const name = text.toString('latin1', line.start, line.start + colon).trim();
    headers.set(name, text.toString('latin1', line.start + colon + 1, line.end).trim());
    at = line.next;
  }
  return at;
}

/** RFC 7468 section 3: the label of a `-----BEGIN label-----` line; null when the line is not one. */
function boundary(text: Buffer, line: Line, word: 'BEGIN' | 'END'): string | null {
  if (!startsWithDashes(text, line) || line.end - line.start > MAX_LINE_OF_STRUCTURE) return null;
  const found = /^-----(BEGIN|END) ([A-Z0-9][A-Z0-9 ]{0,62})-----$/.exec(text.toString('latin1', line.start, line.end));
  return found?.[1] === word ? found[2]! : null;
}

/** A line with five dashes and a word of ours that is no boundary is a mistake to be told, not text to be skipped. */
function refuseStray(text: Buffer, line: Line): void {
  if (!startsWithDashes(text, line)) return;
  const head = text.toString('latin1', line.start, Math.min(line.end, line.start + 11));
  if (!/^-----(?:BEGIN|END)/.test(head)) return;
  throw new KeyturnError('invalid_input', 'A line starts like a PEM boundary and does not end like one.', {
    fix: 'Save the file with real line ends (not the two characters backslash and n), each BEGIN and END line alone.',
  });
}

function startsWithDashes(text: Buffer, { start, end }: Line): boolean {
  if (end - start < 5) return false;
  for (let i = start; i < start + 5; i++) if (text[i] !== 0x2d) return false;
  return true;
}

function lineAt(text: Buffer, at: number): Line {
  let end = at;
  while (end < text.length && text[end] !== 0x0a && text[end] !== 0x0d) end++;
  const lineEnd = text[end] === 0x0d && text[end + 1] === 0x0a ? 2 : 1;
  const next = Math.min(end + lineEnd, text.length);
  let start = at;
  // A byte-order mark stands at the start of the text, and of each file when files were joined.
  if (text[start] === 0xef && text[start + 1] === 0xbb && text[start + 2] === 0xbf) start += 3;
  while (start < end && isSpace(text[start]!)) start++;
  while (end > start && isSpace(text[end - 1]!)) end--;
  return { start, end, next };
}

function refuseTooLarge(length: number): void {
  if (length > MAX_TEXT_BYTES) throw tooLarge(`A PEM text may have ${MAX_TEXT_BYTES} bytes; this one has ${length}.`);
}

function refuseWideText(text: Buffer): void {
  const mark = text.length >= 2 ? text.readUInt16BE(0) : 0;
  if (mark !== 0xfffe && mark !== 0xfeff && !text.includes(0)) return;
  throw new KeyturnError('invalid_input', 'The text is UTF-16 or binary, and PEM is ASCII.', {
    fix: 'Save the file as UTF-8 or ASCII; editors and PowerShell call UTF-16 "Unicode".',
  });
}

function tooLarge(message: string): KeyturnError {
  return new KeyturnError('payload_too_large', message, {
    fix: 'Give the partner’s key, certificate and chain alone.',
  });
}

function damaged(label: string, how: string): KeyturnError {
  const code = isKeyLabel(label) ? 'key_unreadable' : 'certificate_unreadable';
  return new KeyturnError(code, `The PEM block "${label}" ${how}.`, {
    fix: 'Fetch the file again from the partner, and copy it whole.',
  });
}
