import type { Password } from './password.ts';
import { rejected } from './rejected.ts';

/** A key, a certificate and a chain have about a hundred; so has each dozen of certificates more. */
const MAX_ELEMENTS = 4096;
const MAX_BAGS = 64;
/**
 * Of all key derivations of a file together, as it announces them. OpenSSL writes 3 × 2048, Java up to 200,000; each
 * is up to three hashes of work.
 */
const MAX_ITERATIONS = 1_000_000;

/** One attempt to read a file with one password: what it may cost, and what is wiped afterwards. */
export class Reading implements Disposable {
  readonly password: Password;
  /** True once the MAC has shown that the password is right and the content is as it was written. */
  authenticated = false;
  #elements = MAX_ELEMENTS;
  #bags = MAX_BAGS;
  #iterations = MAX_ITERATIONS;
  readonly #scratch: Buffer[] = [];

  constructor(password: Password) {
    this.password = password;
  }

  /** @throws KeyturnError `archive_rejected` */
  spendElement(): void {
    if (--this.#elements < 0) throw rejected(`it has more than ${MAX_ELEMENTS} elements`);
  }

  /** @throws KeyturnError `archive_rejected` */
  spendBag(): void {
    if (--this.#bags < 0) throw rejected(`it holds more than ${MAX_BAGS} keys and certificates`);
  }

  /**
   * To be called before the work is done.
   * @throws KeyturnError `archive_rejected`, for less than one as well.
   */
  spendIterations(count: number): void {
    this.#iterations -= count;
    if (this.#iterations < 0) throw rejected('opening it would take far more work than is allowed');
    if (count < 1) throw rejected('it derives a key in no iteration at all');
  }

  /** Has the octets wiped when the reading ends. */
  keep(octets: Buffer): Buffer {
    this.#scratch.push(octets);
    return octets;
  }

  [Symbol.dispose](): void {
    for (const octets of this.#scratch) octets.fill(0);
  }
}
