/** Octets as base64url without padding (RFC 4648 section 5). */
export function encodeBase64url(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString('base64url');
}

/**
 * Reads base64url without padding, strictly: no other alphabet, no white space, no padding, and no bits set that
 * the octets do not need (RFC 4648 section 3.5), so that two texts never mean the same octets.
 * `length` is the wanted number of octets, any when absent. Null for anything else; the text is attacker-controlled.
 */
export function decodeBase64url(text: string, length?: number): Buffer | null {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) return null;
  const octets = Buffer.from(text, 'base64url');
  if (length !== undefined && octets.length !== length) return null;
  return octets.toString('base64url') === text ? octets : null;
}
