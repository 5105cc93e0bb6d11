import { KeyturnError } from '../../core/errors.ts';
import type { Fence } from '../../ledger/fence.ts';
import type { Ledger } from '../../ledger/ledger.ts';

/**
 * One effect at a time on each key store and on each credential, from the intent's commit to the outcome's. So whoever
 * looks in turn sees no effect half done: what is `pending` then was interrupted; and two imports never take the same
 * number nor pin a chain each, also when they go to different stores.
 */
export class StoreQueue {
  readonly #tails = new Map<string, Promise<unknown>>();
  readonly #ledger: Pick<Ledger, 'withFence'> | undefined;

  /** With a ledger: one at a time over all servers of it. */
  constructor(ledger?: Pick<Ledger, 'withFence'>) {
    this.#ledger = ledger;
  }

  /**
   * Waits for every effect before it that has one of these places in common, and keeps those after it waiting. What is
   * committed with the fence's checks counts only while the turn is its own.
   */
  run<T>(places: readonly Place[], effect: (fence: Fence) => Promise<T>): Promise<T> {
    // All places are taken in one step, so that no two effects wait for each other.
    const tails = places.map((place) => this.#tails.get(place) ?? Promise.resolve());
    const mine = Promise.all(tails).then(() => this.#fenced(places, effect));
    const over = mine.then(
      () => undefined,
      () => undefined,
    );
    for (const place of places) this.#tails.set(place, over);
    void over.then(() => this.#forget(places, over));
    return mine;
  }

  /** As `run`, of an effect whose places may have become others when its turn comes: then it waits for those as well. */
  async runWhere<T>(places: () => Promise<readonly Place[]>, effect: (fence: Fence) => Promise<T>): Promise<T> {
    for (;;) {
      const taken = [...new Set(await places())];
      const done = await this.run(taken, async (fence) => {
        const needed = await places();
        return needed.every((place) => taken.includes(place)) ? { value: await effect(fence) } : null;
      });
      if (done !== null) return done.value;
    }
  }

  async #fenced<T>(places: readonly Place[], effect: (fence: Fence) => Promise<T>): Promise<T> {
    if (this.#ledger === undefined) return effect({ checks: [] });
    const fenced = await this.#ledger.withFence(places, 'wait', effect);
    if (fenced.ran) return fenced.value;
    throw new KeyturnError('internal', 'A fence was waited for and not entered.');
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
