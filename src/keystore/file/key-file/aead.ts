import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto';
import { SecretBytes } from '../../../core/secret-bytes.ts';

/** AES-256-GCM of NIST SP 800-38D: 96-bit nonce, 128-bit tag. */
const ALGORITHM = 'aes-256-gcm';
const NONCE_OCTETS = 12;
const TAG_OCTETS = 16;

/** What sealing adds to a plaintext's length. */
export const SEAL_OVERHEAD = NONCE_OCTETS + TAG_OCTETS;

/** `nonce ‖ ciphertext ‖ tag` under a fresh random nonce. */
export function seal(key: KeyObject, plaintext: SecretBytes, associated: Buffer): Buffer {
  const nonce = randomBytes(NONCE_OCTETS);
  const cipher = createCipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_OCTETS });
  cipher.setAAD(associated);
  const ciphertext = cipher.update(plaintext.bytes);
  cipher.final();
  return Buffer.concat([nonce, ciphertext, cipher.getAuthTag()]);
}

/** The plaintext, owned by the caller; null when key, associated data or any octet is not what was sealed. */
export function unseal(key: KeyObject, sealed: Buffer, associated: Buffer): SecretBytes | null {
  if (sealed.length < SEAL_OVERHEAD) return null;
  const tagAt = sealed.length - TAG_OCTETS;
  const decipher = createDecipheriv(ALGORITHM, key, sealed.subarray(0, NONCE_OCTETS), { authTagLength: TAG_OCTETS });
  decipher.setAAD(associated);
  decipher.setAuthTag(sealed.subarray(tagAt));
  // GCM is a stream mode: update() returns the whole plaintext, not yet authenticated, and final() nothing more.
  const plaintext = SecretBytes.own(decipher.update(sealed.subarray(NONCE_OCTETS, tagAt)));
  try {
    decipher.final();
    return plaintext;
  } catch {
    plaintext.dispose();
    return null;
  }
}
