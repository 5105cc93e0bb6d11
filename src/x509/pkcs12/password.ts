import { isUtf8, transcode } from 'node:buffer';
import { inspect } from 'node:util';
import type { SecretBytes } from '../../core/secret-bytes.ts';

/** A password in the two forms that the schemes ask for. Wiped on dispose; shown by nothing that prints objects. */
export class Password implements Disposable {
  readonly #typed: Buffer;
  readonly #wide: Buffer;

  /** Takes ownership of both. */
  constructor(typed: Buffer, wide: Buffer) {
    this.#typed = typed;
    this.#wide = wide;
  }

  /** As it was typed: what PBES2 takes (RFC 8018). */
  get typed(): Buffer {
    return this.#typed;
  }

  /** UTF-16, big-endian, ended by two zero octets (RFC 7292 appendix B.1); empty for none, unlike the empty one. */
  get wide(): Buffer {
    return this.#wide;
  }

  [Symbol.dispose](): void {
    this.#typed.fill(0);
    this.#wide.fill(0);
  }

  [inspect.custom](): string {
    return '[Password]';
  }
}

/**
 * The given password; then the empty one and none at all, which programs take for the same and write differently.
 * Whoever holds them disposes each.
 */
export function passwordsToTry(given: SecretBytes | undefined): Password[] {
  const typed = given === undefined || given.length === 0 ? [] : [new Password(Buffer.from(given.bytes), wide(given))];
  return [...typed, new Password(Buffer.alloc(0), Buffer.alloc(2)), new Password(Buffer.alloc(0), Buffer.alloc(0))];
}

/** Octets that are not UTF-8 count as Latin-1, as in OpenSSL. */
function wide({ bytes }: SecretBytes): Buffer {
  const swapped = transcode(bytes, isUtf8(bytes) ? 'utf8' : 'latin1', 'utf16le');
  const ended = Buffer.alloc(swapped.length + 2);
  ended.set(swapped.swap16());
  swapped.fill(0);
  return ended;
}
