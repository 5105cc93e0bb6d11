import { hash, type KeyObject } from 'node:crypto';
import { canonicalJson } from '../core/canonical-json.ts';
import { decodeBase64url, encodeBase64url } from '../core/encoding/base64url.ts';
import { KeyturnError } from '../core/errors.ts';
import type { SecretBytes } from '../core/secret-bytes.ts';
import type { AnswerBinding, SealedAnswer } from './envelope.ts';
import { decodeFrame, encodeFrame, MAX_FRAME_LENGTH, type NamedSecret } from './frame.ts';
import { RecipientContext, type Sealed, SenderContext } from './hpke.ts';
import { TAG_LENGTH } from './key-schedule.ts';
import { generateX25519, X25519_LENGTH } from './x25519.ts';

export type { NamedSecret } from './frame.ts';

/** Names the format, inside the HPKE context and inside the associated data. */
export const FORMAT = 'keyturn/sealed-answer/v1';
const INFO = Buffer.from(FORMAT, 'ascii');

/** Contexts an opener keeps; the one used longest ago goes first. */
export const MAX_CONTEXTS = 256;

const MAX_CT_TEXT = Math.ceil(((MAX_FRAME_LENGTH + TAG_LENGTH) * 4) / 3);

/**
 * Seals answers to one client process. One sealer may seal many answers, each under the next sequence number; it
 * belongs to one process and is never stored. Sealing is synchronous, so concurrent requests can't meet in it.
 */
export class AnswerSealer {
  readonly #context: SenderContext;
  readonly #enc: string;
  #doubtful = false;
  /** SHA-256 of the recipient's public key, lower-case hex. */
  readonly recipient: string;

  private constructor(context: SenderContext, recipient: string) {
    this.#context = context;
    this.#enc = encodeBase64url(context.enc);
    this.recipient = recipient;
  }

  /**
   * `recipientPublicKey`: raw X25519, 32 octets, attacker-controlled.
   * @throws KeyturnError `invalid_input` when it is not a usable key.
   */
  static to(recipientPublicKey: Buffer): AnswerSealer {
    const recipient = hash('sha256', recipientPublicKey, 'hex');
    return new AnswerSealer(SenderContext.create(recipientPublicKey, INFO), recipient);
  }

  /** True when another must take its place: its numbers are used up, or sealing failed once, for whatever reason. */
  get exhausted(): boolean {
    return this.#doubtful || this.#context.exhausted;
  }

  /**
   * The caller keeps and wipes `secrets`.
   * @throws KeyturnError `invalid_input` when the secrets break a limit of the frame.
   */
  seal(binding: AnswerBinding, secrets: readonly NamedSecret[]): SealedAnswer {
    using frame = encodeFrame(secrets);
    const { seq, ct } = this.#sealed(binding, frame.bytes);
    return { enc: this.#enc, seq, ct: encodeBase64url(ct) };
  }

  #sealed(binding: AnswerBinding, frame: Buffer): Sealed {
    try {
      return this.#context.seal(associatedData(binding), frame);
    } catch (error) {
      this.#doubtful = true;
      throw error;
    }
  }
}

/** The client process's end: one key pair, in memory only, for as long as the process lives. */
export class AnswerOpener {
  readonly #privateKey: KeyObject;
  readonly #contexts = new Map<string, RecipientContext>();
  /** Raw X25519, base64url without padding: what a lease request carries. */
  readonly publicKey: string;
  /** SHA-256 of it, lower-case hex: what an entry knows this process by. */
  readonly recipient: string;

  private constructor(privateKey: KeyObject, publicKey: Buffer) {
    this.#privateKey = privateKey;
    this.publicKey = encodeBase64url(publicKey);
    this.recipient = hash('sha256', publicKey, 'hex');
  }

  static generate(): AnswerOpener {
    const { privateKey, publicKey } = generateX25519();
    return new AnswerOpener(privateKey, publicKey);
  }

  /**
   * The secrets by name, owned by the caller, who disposes of them. Answers may come in any order; each opens once.
   * Only the {@link MAX_CONTEXTS} contexts used last are remembered: an answer of a forgotten one could be opened
   * again, for the same binding only.
   * @throws KeyturnError `sealed_answer_invalid`, the same for every cause. `sealed` is attacker-controlled.
   */
  open(sealed: SealedAnswer, binding: AnswerBinding): Map<string, SecretBytes> {
    const plaintext = this.#plaintext(sealed, associatedData(binding));
    const secrets = plaintext === null ? null : decodeFrame(plaintext);
    plaintext?.fill(0);
    if (secrets === null) throw invalid();
    return secrets;
  }

  #plaintext(sealed: SealedAnswer, aad: Buffer): Buffer | null {
    if (typeof sealed.enc !== 'string' || typeof sealed.ct !== 'string') return null;
    const enc = decodeBase64url(sealed.enc, X25519_LENGTH);
    const ct = sealed.ct.length <= MAX_CT_TEXT ? decodeBase64url(sealed.ct) : null;
    if (enc === null || ct === null) return null;
    const context = this.#contexts.get(sealed.enc) ?? this.#newContext(enc);
    const plaintext = context?.open(aad, { seq: sealed.seq, ct }) ?? null;
    // Only a context that opened something is kept, so that forgeries push none out.
    if (context !== null && plaintext !== null) this.#keep(sealed.enc, context);
    return plaintext;
  }

  #newContext(enc: Buffer): RecipientContext | null {
    try {
      return RecipientContext.create(enc, this.#privateKey, INFO);
    } catch {
      return null;
    }
  }

  #keep(enc: string, context: RecipientContext): void {
    this.#contexts.delete(enc);
    this.#contexts.set(enc, context);
    const [oldest] = this.#contexts.keys();
    if (this.#contexts.size > MAX_CONTEXTS && oldest !== undefined) this.#contexts.delete(oldest);
  }
}

/** Canonical JSON of the format's name and the binding's five fields, nothing else that the object may carry. */
export function associatedData(binding: AnswerBinding): Buffer {
  const { lease, credential, version, spki, expiresAt } = binding;
  const [first, last] = [`"credential":${canonicalJson(credential)}`, `"version":${canonicalJson(version)}`];
  const others = `"expiresAt":${canonicalJson(expiresAt)},"format":"${FORMAT}","lease":${canonicalJson(lease)},"spki":${canonicalJson(spki)}`;
  return Buffer.from(`{${first},${others},${last}}`, 'utf8');
}

function invalid(): KeyturnError {
  return new KeyturnError('sealed_answer_invalid', 'The sealed part of an answer could not be opened.', {
    fix: 'Ask for a new lease; if that fails too, check the connection file and whoever stands between.',
  });
}
