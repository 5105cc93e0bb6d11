const ALPHABET = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/', 'ascii');
const PAD = 0x3d;
const LINE_FEED = 0x0a;
const OCTETS_PER_LINE = 48;

/**
 * DER as PEM (RFC 7468 section 2, lines of 64 characters, LF) without a string on the way: a string of a private
 * key could never be wiped. The caller owns the Buffer, which has memory of its own, and wipes it.
 * @param label such as `PRIVATE KEY`.
 */
export function pemOctets(label: string, der: Uint8Array): Buffer {
  const head = Buffer.from(`-----BEGIN ${label}-----\n`, 'ascii');
  const tail = Buffer.from(`-----END ${label}-----\n`, 'ascii');
  const lines = Math.ceil(der.length / OCTETS_PER_LINE);
  const pem = Buffer.allocUnsafeSlow(head.length + Math.ceil(der.length / 3) * 4 + lines + tail.length);
  pem.set(head);
  let at = head.length;
  for (let from = 0; from < der.length; from += OCTETS_PER_LINE) {
    at = writeLine(pem, at, der.subarray(from, from + OCTETS_PER_LINE));
  }
  pem.set(tail, at);
  return pem;
}

/** RFC 4648 section 4: three octets make four characters; what is missing of the last three is padding. */
function writeLine(pem: Buffer, start: number, octets: Uint8Array): number {
  let at = start;
  for (let i = 0; i < octets.length; i += 3) {
    const left = octets.length - i;
    const group = (octets[i]! << 16) | ((octets[i + 1] ?? 0) << 8) | (octets[i + 2] ?? 0);
    pem[at++] = ALPHABET[group >> 18]!;
    pem[at++] = ALPHABET[(group >> 12) & 63]!;
    pem[at++] = left > 1 ? ALPHABET[(group >> 6) & 63]! : PAD;
    pem[at++] = left > 2 ? ALPHABET[group & 63]! : PAD;
  }
  pem[at++] = LINE_FEED;
  return at;
}
