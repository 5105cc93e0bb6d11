/**
 * The octets of strict base64 (RFC 4648 section 4): padded, no white space, spare bits zero, so that one value has
 * one text. Null for anything else, and for another length than `length` octets when that is given.
 * The runtime's own decoder skips what it does not know; texts that an attacker controls must come through here.
 */
export function decodeBase64(text: string, length?: number): Buffer | null {
  // Four characters carry three octets, so a text of the wrong length is refused before it is decoded.
  if (length !== undefined && text.length !== Math.ceil(length / 3) * 4) return null;
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) return null;
  return length === undefined || bytes.length === length ? bytes : null;
}
