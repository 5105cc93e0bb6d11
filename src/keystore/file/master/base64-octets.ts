/**
 * Base64 (RFC 4648 section 4) between buffers. Node's own goes through a string, which can't be wiped.
 */
const ALPHABET = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/');
const PAD = '='.charCodeAt(0);

/** With padding, without a line end. The caller wipes the result. */
export function encodeBase64(octets: Buffer): Buffer {
  const text = Buffer.allocUnsafeSlow(Math.ceil(octets.length / 3) * 4).fill(PAD);
  for (let from = 0, to = 0; from < octets.length; from += 3, to += 4) {
    const left = octets.length - from;
    const group = (octets[from]! << 16) | ((octets[from + 1] ?? 0) << 8) | (octets[from + 2] ?? 0);
    for (let digit = 0; digit <= Math.min(left, 3); digit++) {
      text[to + digit] = ALPHABET[(group >> (18 - 6 * digit)) & 63]!;
    }
  }
  return text;
}

/** Strict: padding required, unused bits zero, nothing else allowed; otherwise null. The caller wipes the result. */
export function decodeBase64(text: Buffer): Buffer | null {
  if (text.length === 0 || text.length % 4 !== 0) return null;
  const pads = text.at(-1) !== PAD ? 0 : text.at(-2) !== PAD ? 1 : 2;
  const octets = Buffer.allocUnsafeSlow((text.length / 4) * 3 - pads);
  const digits = text.length - pads;
  let bits = 0;
  let at = 0;
  for (let index = 0; index < digits; index++) {
    const value = ALPHABET.indexOf(text[index]!);
    if (value < 0) return wiped(octets);
    bits = ((bits << 6) | value) & 0xffff;
    if (index % 4 !== 0) octets[at++] = (bits >> (6 - 2 * (index % 4))) & 0xff;
  }
  const unused = pads === 0 ? 0 : bits & (pads === 1 ? 0b11 : 0b1111);
  return unused === 0 ? octets : wiped(octets);
}

function wiped(octets: Buffer): null {
  octets.fill(0);
  return null;
}
