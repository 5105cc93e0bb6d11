/**
 * Base64 (RFC 4648 section 4) from bytes to bytes, because what is decoded here may be a private key and must never
 * become a string. Strict: no foreign characters, padding in place, unused bits zero.
 */

const ALPHABET = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/', 'latin1');
const PAD = 0x3d;
const INVALID = 0xff;
const VALUES = new Uint8Array(256).fill(INVALID);
for (const [value, byte] of ALPHABET.entries()) VALUES[byte] = value;

/** White space that may stand between characters: tab, LF, VT, FF, CR, space. */
export function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

/**
 * Decodes `text[start, end)`, skipping white space, into a Buffer of its own (never pooled, so that it can be wiped).
 * Null when it is not base64. Linear time; nothing of the text is left behind on a refusal.
 */
export function decodeBase64(text: Uint8Array, start = 0, end = text.length): Buffer | null {
  const size = decodedSize(text, start, end);
  if (size === null) return null;
  const out = Buffer.allocUnsafeSlow(size);
  let bits = 0;
  let held = 0;
  let at = 0;
  for (let i = start; i < end; i++) {
    const value = VALUES[text[i]!]!;
    if (value === INVALID) continue;
    bits = ((bits << 6) | value) & 0xffff;
    held += 6;
    if (held >= 8) {
      held -= 8;
      out[at++] = bits >> held;
    }
  }
  if ((bits & ((1 << held) - 1)) === 0) return out;
  out.fill(0);
  return null;
}

/** Octets that the text stands for; null for a foreign character or padding that does not fit. */
function decodedSize(text: Uint8Array, start: number, end: number): number | null {
  let characters = 0;
  let pads = 0;
  for (let i = start; i < end; i++) {
    const byte = text[i]!;
    if (isSpace(byte)) continue;
    if (byte === PAD) pads++;
    else if (pads > 0 || VALUES[byte] === INVALID) return null;
    else characters++;
  }
  if (pads > 2 || (characters + pads) % 4 !== 0) return null;
  return Math.floor((characters * 3) / 4);
}

/** Encodes in lines of `width` characters, each ended by LF; as bytes, never through a string. */
export function encodeBase64Lines(octets: Uint8Array, width = 64): Buffer {
  const characters = Math.ceil(octets.length / 3) * 4;
  const out = Buffer.allocUnsafeSlow(characters + Math.ceil(characters / width));
  let at = 0;
  for (let i = 0; i < octets.length; i += 3) {
    const rest = octets.length - i;
    const group = (octets[i]! << 16) | ((octets[i + 1] ?? 0) << 8) | (octets[i + 2] ?? 0);
    out[at++] = ALPHABET[group >> 18]!;
    out[at++] = ALPHABET[(group >> 12) & 63]!;
    out[at++] = rest > 1 ? ALPHABET[(group >> 6) & 63]! : PAD;
    out[at++] = rest > 2 ? ALPHABET[group & 63]! : PAD;
    if ((i / 3 + 1) % (width / 4) === 0 || rest <= 3) out[at++] = 0x0a;
  }
  return out;
}
