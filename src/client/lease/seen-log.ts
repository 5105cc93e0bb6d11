import type { LogVerifier, TreeHead } from '../../audit/checkpoint.ts';
import { type ProvenEntry, type Receipt, verifyReceipt } from '../../audit/receipt.ts';

/**
 * The largest tree of the audit log that this process has verified. Each receipt must prove that its tree continues
 * that one, so calls that bring receipts take turns: of two answers at once neither would be proven to continue the
 * other. The head lives as long as the process.
 */
export class SeenLog {
  readonly #verifier: LogVerifier;
  #head: TreeHead | null = null;
  #last: Promise<unknown> = Promise.resolve();

  constructor(verifier: LogVerifier) {
    this.#verifier = verifier;
  }

  /** Leaves of the largest verified tree; 0 for none. */
  get size(): number {
    return this.#head?.size ?? 0;
  }

  /** Runs `call` when those before it are done, failed ones included. */
  inTurn<T>(call: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(call, call);
    this.#last = turn.catch(() => {});
    return turn;
  }

  /**
   * Verifies the receipt and remembers its tree.
   * @throws KeyturnError `receipt_invalid`, `log_forked`; then the remembered tree stays as it was.
   */
  verify(receipt: Receipt): ProvenEntry {
    const proven = verifyReceipt(receipt, this.#verifier, this.#head);
    this.#head = { size: proven.size, root: proven.root };
    return proven;
  }
}
