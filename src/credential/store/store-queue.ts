/**
 * One effect at a time on each key store and on each credential, from the intent's commit to the outcome's. So whoever
 * looks in turn sees no effect half done: what is `pending` then was interrupted; and two imports never take the same
 * number nor pin a chain each, also when they go to different stores.
 */
export class StoreQueue {
  readonly #tails = new Map<string, Promise<unknown>>();

  /** Waits for every effect before it that has one of these places in common, and keeps those after it waiting. */
  run<T>(places: readonly Place[], effect: () => Promise<T>): Promise<T> {
    // All places are taken in one step, so that no two effects wait for each other.
    const tails = places.map((place) => this.#tails.get(place) ?? Promise.resolve());
    const mine = Promise.all(tails).then(effect);
    const over = mine.then(
      () => undefined,
      () => undefined,
    );
    for (const place of places) this.#tails.set(place, over);
    void over.then(() => this.#forget(places, over));
    return mine;
  }

  #forget(places: readonly Place[], over: Promise<unknown>): void {
    for (const place of places) if (this.#tails.get(place) === over) this.#tails.delete(place);
  }
}

/** What effects take turns at. */
export type Place = `store ${string}` | `credential ${string}`;

export function storePlace(name: string): Place {
  return `store ${name}`;
}

export function credentialPlace(name: string): Place {
  return `credential ${name}`;
}
