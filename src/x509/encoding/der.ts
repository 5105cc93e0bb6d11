import { KeyturnError } from '../../core/errors.ts';

/** Deeper than any certificate or key goes (about 12), shallow enough for recursive parsers behind us. */
const MAX_DEPTH = 32;

export const TAG = {
  integer: 0x02,
  octetString: 0x04,
  oid: 0x06,
  sequence: 0x30,
} as const;

/** One element: tag octet, its content, and the whole of it with its header; views (not copies) on the input. */
export interface DerElement {
  readonly tag: number;
  readonly content: Buffer;
  readonly whole: Buffer;
}

/**
 * The elements that fill `bytes` exactly, in order. DER as X.690 section 10 has it: definite lengths in the shortest
 * form; tag numbers above 30 are not read. The input may come from an attacker: linear, not recursive.
 * @throws KeyturnError `certificate_unreadable`
 */
export function derElements(bytes: Buffer): DerElement[] {
  const elements: DerElement[] = [];
  for (let at = 0; at < bytes.length; ) {
    const { tag, start, end } = elementAt(bytes, at, bytes.length);
    elements.push({ tag, content: bytes.subarray(start, end), whole: bytes.subarray(at, end) });
    at = end;
  }
  return elements;
}

/**
 * Refuses what is not exactly one well-formed DER element of bounded depth, before a recursive parser sees it.
 * Octet strings are opaque here.
 * @throws KeyturnError `certificate_unreadable`
 */
export function checkDer(bytes: Buffer): void {
  if (elementAt(bytes, 0, bytes.length).end !== bytes.length) throw notDer('data follows the end of the structure');
  const ends: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    while (ends.length > 0 && at === ends.at(-1)) ends.pop();
    const { tag, start, end } = elementAt(bytes, at, ends.at(-1) ?? bytes.length);
    const constructed = (tag & 0x20) !== 0;
    if (constructed && end > start) {
      if (ends.push(end) > MAX_DEPTH) throw notDer(`it is nested deeper than ${MAX_DEPTH} levels`);
      at = start;
    } else {
      at = end;
    }
  }
}

function elementAt(bytes: Buffer, at: number, limit: number): { tag: number; start: number; end: number } {
  const tag = bytes[at];
  const first = bytes[at + 1];
  if (tag === undefined || first === undefined || at + 2 > limit) throw notDer('it ends in the middle of an element');
  if ((tag & 0x1f) === 0x1f) throw notDer('it holds a tag that no certificate or key has');
  const { length, start } = first < 0x80 ? { length: first, start: at + 2 } : longLength(bytes, at + 1, limit);
  const end = start + length;
  if (end > limit) throw notDer('an element is longer than what holds it');
  return { tag, start, end };
}

/** X.690 section 8.1.3.5, restricted by 10.1: at most four octets here, none of them superfluous. */
function longLength(bytes: Buffer, at: number, limit: number): { length: number; start: number } {
  const count = bytes[at]! & 0x7f;
  const start = at + 1 + count;
  if (count === 0 || count > 4 || start > limit) throw notDer('an element has an indefinite or absurd length');
  const length = bytes.readUIntBE(at + 1, count);
  if (length < 0x80 || bytes[at + 1] === 0) throw notDer('a length is not in its shortest form');
  return { length, start };
}

function notDer(why: string): KeyturnError {
  return new KeyturnError('certificate_unreadable', `The data is not well-formed DER: ${why}.`);
}
