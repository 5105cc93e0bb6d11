import { isKeyturnError } from '../../core/errors.ts';
import { derElements, TAG } from './der.ts';

/**
 * The label that PEM would give to a structure, by the tags of its outermost members: RFC 5280 section 4.1 (Certificate),
 * RFC 5958 section 2 and 3 (PKCS#8), RFC 8017 appendix A.1.2 (PKCS#1), RFC 5915 section 3 (SEC1), RFC 5652 section 3
 * (PKCS#7). Members that may be left out come last.
 */
const SHAPES: readonly (readonly [RegExp, string])[] = [
  [/^30 30 03$/, 'CERTIFICATE'],
  [/^02 30 04( a0)?( 81)?$/, 'PRIVATE KEY'],
  [/^30 04$/, 'ENCRYPTED PRIVATE KEY'],
  [/^02( 02){8}$/, 'RSA PRIVATE KEY'],
  [/^02 04( a0)?( a1)?$/, 'EC PRIVATE KEY'],
  [/^06 a0$/, 'PKCS7'],
];

/** A long form of length, which no text has as its second octet; a short one must say how long the file is. */
export function looksLikeDer(bytes: Buffer): boolean {
  const length = bytes[1] ?? 0;
  return bytes[0] === TAG.sequence && (length >= 0x80 || bytes.length === 2 + length);
}

/** Null when the octets, which may come from an attacker, are none of these structures. */
export function pemLabelOf(der: Buffer): string | null {
  try {
    const [outer, ...rest] = derElements(der);
    if (outer === undefined || rest.length > 0) return null;
    const shape = derElements(outer.content).map(({ tag }) => tag.toString(16).padStart(2, '0'));
    return SHAPES.find(([pattern]) => pattern.test(shape.join(' ')))?.[1] ?? null;
  } catch (error) {
    if (isKeyturnError(error)) return null;
    throw error;
  }
}
