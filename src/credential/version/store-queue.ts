/**
 * One effect at a time on each key store, from the intent's commit to the outcome's. So whoever looks in turn sees no
 * effect half done: what is `pending` then was interrupted, and two imports never take the same number.
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
