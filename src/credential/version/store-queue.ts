/**
 * One effect at a time on each key store, from the write to the outcome's commit, so that at most one record is ever
 * in the store without the ledger knowing its outcome: what start-up has to explain stays one record.
 */
export class StoreQueue {
  readonly #tails = new Map<string, Promise<unknown>>();

  run<T>(store: string, effect: () => Promise<T>): Promise<T> {
    const tail = this.#tails.get(store) ?? Promise.resolve();
    const mine = tail.then(effect, effect);
    this.#tails.set(
      store,
      mine.catch(() => undefined),
    );
    return mine;
  }
}
