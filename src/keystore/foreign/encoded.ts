import type { SecretBytes } from '../../core/secret-bytes.ts';
import { decodeBase64 } from '../file/master/base64-octets.ts';

/**
 * A copy of the octets as a file would hold them: what can't stand in a text (PKCS#12, DER) is kept there in base64,
 * with or without line breaks. The caller wipes it.
 */
export function uploadedOctets({ bytes }: SecretBytes): Buffer {
  if (!bytes.includes('-----BEGIN')) {
    const dense = withoutSpace(bytes);
    const decoded = decodeBase64(dense);
    dense.fill(0);
    if (decoded !== null) return decoded;
  }
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}

function withoutSpace(octets: Buffer): Buffer {
  const dense = Buffer.allocUnsafeSlow(octets.length);
  let length = 0;
  for (const octet of octets) if (octet > 0x20) dense[length++] = octet;
  const own = Buffer.allocUnsafeSlow(length);
  dense.copy(own, 0, 0, length);
  dense.fill(0);
  return own;
}
