import { timingSafeEqual } from 'node:crypto';
import { inspect } from 'node:util';
import { KeyturnError } from './errors.ts';

/**
 * Secret octets (a private key, a companion secret) on their way through memory: a Buffer of its own that is
 * zero-filled on `dispose`. It has no string form: `String()`, `JSON.stringify`, template literals and
 * `util.inspect` show the length alone, and there is no method that makes a string of the octets.
 *
 * Best effort, by the nature of the runtime: the collector or OpenSSL may have made copies (see SECURITY.md).
 */
export class SecretBytes implements Disposable {
  #bytes: Buffer | null;
  readonly length: number;

  private constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.length = bytes.length;
  }

  /** Takes ownership: the caller must not use `bytes` afterwards; it is zero-filled on dispose. */
  static own(bytes: Buffer): SecretBytes {
    return new SecretBytes(bytes);
  }

  /** Copies, leaving the caller to wipe what it holds. */
  static copyOf(bytes: Uint8Array): SecretBytes {
    const own = Buffer.allocUnsafeSlow(bytes.length);
    own.set(bytes);
    return new SecretBytes(own);
  }

  /**
   * The octets themselves, not a copy: valid until dispose.
   * @throws KeyturnError `internal` after dispose.
   */
  get bytes(): Buffer {
    if (this.#bytes === null) throw new KeyturnError('internal', 'A secret was used after it had been wiped.');
    return this.#bytes;
  }

  get disposed(): boolean {
    return this.#bytes === null;
  }

  /** Constant-time for equal lengths; lengths are not secret. */
  equals(other: SecretBytes): boolean {
    return this.length === other.length && timingSafeEqual(this.bytes, other.bytes);
  }

  /** Zero-fills and forgets. Safe to call twice. */
  dispose(): void {
    this.#bytes?.fill(0);
    this.#bytes = null;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  toString(): string {
    return `[SecretBytes: ${this.length} bytes]`;
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}
