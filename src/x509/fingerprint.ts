import { createPublicKey, hash, type KeyObject } from 'node:crypto';

/**
 * The name of a key everywhere: SHA-256 of its DER SubjectPublicKeyInfo (RFC 7469 section 2.4), lower-case hex.
 * A private key gives that of its public half.
 */
export function spkiFingerprint(key: KeyObject): string {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return sha256Hex(publicKey.export({ type: 'spki', format: 'der' }));
}

/** SHA-256, lower-case hex. */
export function sha256Hex(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex');
}
