import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { KeyturnError } from '../../core/errors.ts';
import { SecretBytes } from '../../core/secret-bytes.ts';

const ALGORITHM = 'aes-256-gcm';
const NONCE_OCTETS = 12;
const TAG_OCTETS = 16;

/** Octets under the key of one process: no use to anybody who has not that too. */
export interface SealedOctets {
  readonly nonce: Buffer;
  readonly ciphertext: Buffer;
  readonly tag: Buffer;
}

/** Encrypts for this process alone, under a random key that leaves OpenSSL's memory never. AES-256-GCM, SP 800-38D. */
export class ProcessSeal {
  readonly #key: KeyObject;
  /** Counted, so that no nonce comes twice under the key. */
  #count = 0;

  constructor() {
    const octets = randomBytes(32);
    this.#key = createSecretKey(octets);
    octets.fill(0);
  }

  /** The caller keeps and wipes `plaintext`. */
  seal(plaintext: SecretBytes, name: string): SealedOctets {
    const nonce = Buffer.alloc(NONCE_OCTETS);
    nonce.writeUIntBE(this.#count++, NONCE_OCTETS - 6, 6);
    const cipher = createCipheriv(ALGORITHM, this.#key, nonce, { authTagLength: TAG_OCTETS });
    cipher.setAAD(Buffer.from(name, 'utf8'));
    const ciphertext = cipher.update(plaintext.bytes);
    cipher.final();
    return { nonce, ciphertext, tag: cipher.getAuthTag() };
  }

  /** The caller disposes of the octets. @throws KeyturnError `internal` when `name` is not what was sealed under. */
  open({ nonce, ciphertext, tag }: SealedOctets, name: string): SecretBytes {
    const decipher = createDecipheriv(ALGORITHM, this.#key, nonce, { authTagLength: TAG_OCTETS });
    decipher.setAAD(Buffer.from(name, 'utf8'));
    decipher.setAuthTag(tag);
    const plaintext = SecretBytes.own(decipher.update(ciphertext));
    try {
      decipher.final();
      return plaintext;
    } catch {
      plaintext.dispose();
      throw new KeyturnError('internal', 'What this process had sealed for itself is not what it was.');
    }
  }
}
