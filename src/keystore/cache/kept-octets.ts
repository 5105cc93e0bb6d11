import { SecretBytes } from '../../core/secret-bytes.ts';

/**
 * Octets that rest encrypted until somebody uses them. What is opened serves all who ask within the same turn of the
 * event loop, as the leases of one commit do, and is wiped before the next.
 */
export class KeptOctets {
  readonly #open: () => SecretBytes;
  readonly #lengths: readonly number[];
  #opened: readonly SecretBytes[] | null = null;

  /** `lengths`: of the records that follow each other in what `open` gives. */
  constructor(open: () => SecretBytes, lengths: readonly number[]) {
    this.#open = open;
    this.#lengths = lengths;
  }

  /** A record each, for use at once: after the next `await` of anything that is not settled they are wiped. */
  opened(): readonly SecretBytes[] {
    this.#opened ??= this.#openForThisTurn();
    return this.#opened;
  }

  #openForThisTurn(): readonly SecretBytes[] {
    const whole = this.#open();
    let at = 0;
    const each = this.#lengths.map((length) => {
      at += length;
      return SecretBytes.own(whole.bytes.subarray(at - length, at));
    });
    // Runs when all promises that are settled by now have had their turn, the outcomes of a whole commit among them.
    process.nextTick(() => {
      this.#opened = null;
      for (const octets of each) octets.dispose();
      whole.dispose();
    });
    return each;
  }
}
