import type { Reading } from './reading.ts';
import { rejected } from './rejected.ts';

/** A PKCS#12 file goes about 11 levels deep between two octet strings. */
const MAX_DEPTH = 16;
const CONSTRUCTED = 0x20;

/** One element. The Buffers are views on the input, not copies. */
export interface BerElement {
  readonly tag: number;
  /** Header, content and end mark, as they stand in the input. */
  readonly raw: Buffer;
  /** Empty for a constructed element, which has `children`. */
  readonly content: Buffer;
  readonly children: readonly BerElement[];
}

/**
 * Reads `bytes` as exactly one BER element (X.690 section 8), which may come from an attacker. BER and not DER alone,
 * because RFC 7292 allows it and Bouncy Castle, and EJBCA with it, write it: indefinite lengths, strings in pieces.
 * Bounded in depth and in the number of elements; octet strings are opaque.
 * @throws KeyturnError `archive_rejected`
 */
export function readBer(bytes: Buffer, reading: Reading): BerElement {
  const element = new BerReader(bytes, reading).element(0, bytes.length, 1);
  if (element.raw.length !== bytes.length) throw rejected('data follows the end of a structure');
  return element;
}

class BerReader {
  readonly #bytes: Buffer;
  readonly #reading: Reading;

  constructor(bytes: Buffer, reading: Reading) {
    this.#bytes = bytes;
    this.#reading = reading;
  }

  element(at: number, limit: number, depth: number): BerElement {
    if (depth > MAX_DEPTH) throw rejected(`it is nested deeper than ${MAX_DEPTH} levels`);
    this.#reading.spendElement();
    const tag = this.#octet(at, limit);
    if (tag === 0 || (tag & 0x1f) === 0x1f) throw rejected('it has a tag that no PKCS#12 file has');
    const constructed = (tag & CONSTRUCTED) !== 0;
    const { length, start } = this.#length(at + 1, limit);
    if (length === null) {
      if (!constructed) throw rejected('a plain element has an indefinite length');
      const { children, end } = this.#untilEndMark(start, limit, depth);
      return { tag, raw: this.#bytes.subarray(at, end), content: NOTHING, children };
    }
    const end = start + length;
    if (end > limit) throw rejected('it is cut short, or an element is longer than what holds it');
    const raw = this.#bytes.subarray(at, end);
    if (!constructed) return { tag, raw, content: this.#bytes.subarray(start, end), children: [] };
    return { tag, raw, content: NOTHING, children: this.#until(start, end, depth) };
  }

  #until(start: number, end: number, depth: number): BerElement[] {
    const children: BerElement[] = [];
    for (let at = start; at < end; ) {
      const child = this.element(at, end, depth + 1);
      children.push(child);
      at += child.raw.length;
    }
    return children;
  }

  /** X.690 section 8.1.5: two zero octets end an element of indefinite length. */
  #untilEndMark(start: number, limit: number, depth: number): { children: BerElement[]; end: number } {
    const children: BerElement[] = [];
    let at = start;
    while (this.#octet(at, limit) !== 0 || this.#octet(at + 1, limit) !== 0) {
      const child = this.element(at, limit, depth + 1);
      children.push(child);
      at += child.raw.length;
    }
    return { children, end: at + 2 };
  }

  /** X.690 section 8.1.3; null for the indefinite form. At most four octets. */
  #length(at: number, limit: number): { length: number | null; start: number } {
    const first = this.#octet(at, limit);
    if (first < 0x80) return { length: first, start: at + 1 };
    const count = first & 0x7f;
    if (count === 0) return { length: null, start: at + 1 };
    if (count > 4 || at + 1 + count > limit) throw rejected('an element has an absurd length');
    return { length: this.#bytes.readUIntBE(at + 1, count), start: at + 1 + count };
  }

  #octet(at: number, limit: number): number {
    const octet = at < limit ? this.#bytes[at] : undefined;
    if (octet === undefined) throw rejected('it is cut short');
    return octet;
  }
}

const NOTHING = Buffer.alloc(0);
