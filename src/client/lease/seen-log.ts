import type { LogVerifier } from '../../audit/checkpoint.ts';
import { FIRST_GENERATION } from '../../audit/generation.ts';
import { type LogRestart, type ProvenEntry, type Receipt, type SeenTree, verifyReceipt } from '../../audit/receipt.ts';
import { KeyturnError } from '../../core/errors.ts';

/**
 * The largest tree of the audit log that this process has verified. Each receipt must prove that its tree continues
 * that one, so calls that bring receipts take turns: of two answers at once neither would be proven to continue the
 * other. The head lives as long as the process.
 */
export class SeenLog {
  readonly #verifier: LogVerifier;
  #head: SeenTree | null = null;
  #news: KeyturnError | null = null;
  #last: Promise<unknown> = Promise.resolve();

  constructor(verifier: LogVerifier) {
    this.#verifier = verifier;
  }

  /** Leaves of the largest verified tree; 0 for none. */
  get size(): number {
    return this.#head?.size ?? 0;
  }

  /** Generation that it was seen in. */
  get generation(): number {
    return this.#head?.generation ?? FIRST_GENERATION;
  }

  /** That the log was restored since it was last seen, once; null when there is nothing to tell. */
  takeNews(): KeyturnError | null {
    const news = this.#news;
    this.#news = null;
    return news;
  }

  /** Runs `call` when those before it are done, failed ones included. */
  inTurn<T>(call: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(call, call);
    this.#last = turn.catch(() => {});
    return turn;
  }

  /**
   * Verifies the receipt of an access that was asked for since the remembered tree was seen, and remembers its tree.
   * @throws KeyturnError `receipt_invalid`, `log_forked`; then the remembered tree stays as it was.
   */
  verify(receipt: Receipt): ProvenEntry {
    const proven = verifyReceipt(receipt, this.#verifier, this.#head);
    // What was not asked for yet cannot stand in a tree that was seen: this is an answer of before, come again.
    if (proven.index < (proven.restart?.base.size ?? this.size)) throw ofBefore();
    if (proven.restart !== null) this.#news = restored(proven.restart, this.size, this.#verifier.origin);
    this.#head = { size: proven.size, root: proven.root, generation: proven.generation };
    return proven;
  }
}

function ofBefore(): KeyturnError {
  return new KeyturnError('receipt_invalid', 'The receipt proves an access from before this one was asked for.', {
    fix: 'Treat what stands before the server as compromised until this is explained: it plays old answers again.',
    facts: { field: 'index' },
  });
}

function restored({ from, to, base, lost, continues }: LogRestart, seen: number, origin: string): KeyturnError {
  const what = continues
    ? 'all that this process had seen of it is kept'
    : `at least ${lost} of the ${seen} entries that this process had seen are gone, and what was kept cannot be compared`;
  return new KeyturnError(
    'log_restored',
    `The audit log was restored from a backup at ${base.size} entries: ${what}.`,
    {
      fix: 'Ask the operators of this Keyturn whether they restored it. If they did not, whoever holds the log key did.',
      facts: { origin, from, to, base: base.size, seen, lost, continues },
    },
  );
}
