import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto';
import { KeyturnError } from '../core/errors.ts';
import { type Aead, type ContextKeys, keySchedule, NONCE_LENGTH, sharedSecret, TAG_LENGTH } from './key-schedule.ts';
import { agree, generateX25519, rawPublicKey, type X25519KeyPair } from './x25519.ts';

/**
 * HPKE (RFC 9180) in base mode with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-256-GCM, with the sequence number
 * spoken aloud: the sender says which one it used, and messages may arrive in any order.
 */
export interface Sealed {
  readonly seq: number;
  /** Ciphertext, then the tag of 16 octets. */
  readonly ct: Buffer;
}

/** A context seals this many messages at most (far below the RFC's own limit); `seq` runs from 0. */
export const MAX_MESSAGES = 2 ** 32;

/** How far behind the highest opened sequence number a message may arrive. */
export const REPLAY_WINDOW = 1024;

/** Encrypts to one recipient. Each message takes the next sequence number; none is ever taken twice. */
export class SenderContext {
  readonly #keys: ContextKeys;
  #next: number;
  /** Encapsulated key, 32 octets, public. */
  readonly enc: Buffer;

  private constructor(keys: ContextKeys, enc: Buffer, first: number) {
    this.#keys = keys;
    this.enc = enc;
    this.#next = first;
  }

  // RFC 9180 section 5.1.1, SetupBaseS, with Encap of section 4.1.
  /**
   * `ephemeral` and `first` are for tests with published vectors; a context of its own pair starts at 0.
   * @throws KeyturnError `invalid_input` when the recipient's key, which is attacker-controlled, is not usable.
   */
  static create(
    recipientPublicKey: Buffer,
    info: Buffer,
    options: { readonly aead?: Aead; readonly ephemeral?: X25519KeyPair; readonly first?: number } = {},
  ): SenderContext {
    const ephemeral = options.ephemeral ?? generateX25519();
    const dh = agree(ephemeral.privateKey, recipientPublicKey);
    const secret = sharedSecret(dh, ephemeral.publicKey, recipientPublicKey);
    const keys = keySchedule(options.aead ?? 'aes-256-gcm', secret, info);
    return new SenderContext(keys, Buffer.from(ephemeral.publicKey), options.first ?? 0);
  }

  /** True when the next {@link seal} would be one too many. */
  get exhausted(): boolean {
    return this.#next >= MAX_MESSAGES;
  }

  /**
   * The caller keeps and wipes `plaintext`.
   * @throws KeyturnError `internal` when the context is exhausted.
   */
  seal(aad: Buffer, plaintext: Buffer): Sealed {
    if (this.exhausted) throw new KeyturnError('internal', 'A sealing context has used up its sequence numbers.');
    // Taken before it is used: an error further down costs a number, never a second use of one.
    const seq = this.#next++;
    const { aead, key, baseNonce } = this.#keys;
    const cipher = createCipheriv(aead, key, nonceOf(baseNonce, seq), { authTagLength: TAG_LENGTH });
    cipher.setAAD(aad);
    const body = cipher.update(plaintext);
    return { seq, ct: Buffer.concat([body, cipher.final(), cipher.getAuthTag()]) };
  }
}

/** Decrypts what one sender context sealed, each sequence number once. */
export class RecipientContext {
  readonly #keys: ContextKeys;
  readonly #opened = new Set<number>();
  #highest = -1;

  private constructor(keys: ContextKeys) {
    this.#keys = keys;
  }

  // RFC 9180 section 5.1.1, SetupBaseR, with Decap of section 4.1.
  /** @throws KeyturnError `invalid_input` when `enc`, which is attacker-controlled, is not a usable public key. */
  static create(enc: Buffer, recipient: KeyObject, info: Buffer, aead: Aead = 'aes-256-gcm'): RecipientContext {
    const secret = sharedSecret(agree(recipient, enc), enc, rawPublicKey(recipient));
    return new RecipientContext(keySchedule(aead, secret, info));
  }

  /**
   * The plaintext, for the caller to wipe. Null when the message is not authentic, its sequence number was opened
   * before, or is more than {@link REPLAY_WINDOW} behind the highest. A forgery uses up no sequence number.
   */
  open(aad: Buffer, sealed: Sealed): Buffer | null {
    if (!this.#isFresh(sealed.seq) || sealed.ct.length < TAG_LENGTH) return null;
    const plaintext = this.#decrypt(aad, sealed);
    if (plaintext !== null) this.#remember(sealed.seq);
    return plaintext;
  }

  #decrypt(aad: Buffer, { seq, ct }: Sealed): Buffer | null {
    const { aead, key, baseNonce } = this.#keys;
    // Without authTagLength GCM would take a tag of 4 octets.
    const decipher = createDecipheriv(aead, key, nonceOf(baseNonce, seq), { authTagLength: TAG_LENGTH });
    decipher.setAAD(aad);
    decipher.setAuthTag(ct.subarray(ct.length - TAG_LENGTH));
    const plaintext = decipher.update(ct.subarray(0, ct.length - TAG_LENGTH));
    try {
      decipher.final();
      return plaintext;
    } catch {
      plaintext.fill(0);
      return null;
    }
  }

  #isFresh(seq: number): boolean {
    if (!Number.isSafeInteger(seq) || seq < 0 || seq >= MAX_MESSAGES) return false;
    return seq > this.#highest - REPLAY_WINDOW && !this.#opened.has(seq);
  }

  #remember(seq: number): void {
    this.#opened.add(seq);
    if (seq <= this.#highest) return;
    this.#highest = seq;
    for (const old of this.#opened) if (old <= seq - REPLAY_WINDOW) this.#opened.delete(old);
  }
}

// RFC 9180 section 5.2, ComputeNonce: base_nonce XOR I2OSP(seq, Nn).
function nonceOf(baseNonce: Buffer, seq: number): Buffer {
  const nonce = Buffer.alloc(NONCE_LENGTH);
  nonce.writeUIntBE(seq, NONCE_LENGTH - 6, 6);
  for (let i = 0; i < NONCE_LENGTH; i++) nonce[i]! ^= baseNonce[i]!;
  return nonce;
}
