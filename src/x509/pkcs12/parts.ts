import type { BerElement } from './ber.ts';
import type { Reading } from './reading.ts';
import { rejected } from './rejected.ts';

/** What an element must be, told by its place in the structure; anything else is refused with `archive_rejected`. */

const TAG = { integer: 0x02, octetString: 0x04, oid: 0x06, sequence: 0x30, explicit: 0xa0 } as const;

/** The parts of a SEQUENCE. */
export function sequence(element: BerElement | undefined): readonly BerElement[] {
  return wanted(element, TAG.sequence).children;
}

/** An OBJECT IDENTIFIER as the hex of its content. */
export function identifier(element: BerElement | undefined): string {
  return wanted(element, TAG.oid).content.toString('hex');
}

/** An INTEGER from zero. A number too large to be exact counts as infinite, a negative one as well. */
export function count(element: BerElement | undefined): number {
  const { content } = wanted(element, TAG.integer);
  if (content.length === 0 || content.length > 6 || content.readInt8() < 0) return Infinity;
  return content.readUIntBE(0, content.length);
}

/** The one element within `[0] EXPLICIT`. */
export function explicit(element: BerElement | undefined): BerElement {
  const { children } = wanted(element, TAG.explicit);
  const [only, ...others] = children;
  if (only === undefined || others.length > 0) throw misplaced();
  return only;
}

/**
 * An OCTET STRING, whole or in pieces (X.690 section 8.7.3); `tag` is another for an IMPLICIT one. A view on the input
 * or, of pieces, a copy that is wiped when the reading ends.
 */
export function octets(element: BerElement | undefined, reading: Reading, tag: number = TAG.octetString): Buffer {
  if (element?.tag === tag) return element.content;
  const { children } = wanted(element, tag | TAG_CONSTRUCTED);
  return reading.keep(Buffer.concat(children.map((piece) => wanted(piece, TAG.octetString).content)));
}

const TAG_CONSTRUCTED = 0x20;

function wanted(element: BerElement | undefined, tag: number): BerElement {
  if (element?.tag !== tag) throw misplaced();
  return element;
}

function misplaced() {
  return rejected('it is not built as RFC 7292 has it');
}
