import type { Change, Outcome } from '../../ledger/change.ts';
import type { Fence } from '../../ledger/fence.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { Desk } from '../desk.ts';
import type { Place } from './store-queue.ts';

/**
 * An effect on key stores in its turn at these places. It works with a desk of its own: what it commits through that
 * counts only while the turn is its own. A server that loses its connection to the database in the middle, and with it
 * the turn, may still write to the store; the ledger then takes nothing of it, and whoever has the turn settles it.
 */
export function inTurn<T>(desk: Desk, places: readonly Place[], effect: (own: Desk) => Promise<T>): Promise<T> {
  return desk.storeQueue.run(places, (fence) => effect(inside(desk, fence)));
}

/** The same of an effect whose places may have become others when its turn comes. */
export function inTurnWhere<T>(
  desk: Desk,
  places: () => Promise<readonly Place[]>,
  effect: (own: Desk) => Promise<T>,
): Promise<T> {
  return desk.storeQueue.runWhere(places, (fence) => effect(inside(desk, fence)));
}

function inside(desk: Desk, fence: Fence): Desk {
  return { ...desk, ledger: underFence(desk.ledger, fence) };
}

/** A ledger whose commits hold the checks of the fence. */
export function underFence(ledger: Ledger, fence: Fence): Ledger {
  return fence.checks.length === 0 ? ledger : new FencedLedger(ledger, fence);
}

class FencedLedger implements Ledger {
  readonly #ledger: Ledger;
  readonly #fence: Fence;

  constructor(ledger: Ledger, fence: Fence) {
    this.#ledger = ledger;
    this.#fence = fence;
  }

  commit(change: Change): Promise<Outcome> {
    return this.#ledger.commit({ ...change, checks: [...this.#fence.checks, ...(change.checks ?? [])] });
  }

  find: Ledger['find'] = (...asked) => this.#ledger.find(...asked);
  count: Ledger['count'] = (...asked) => this.#ledger.count(...asked);
  head: Ledger['head'] = () => this.#ledger.head();
  entries: Ledger['entries'] = (...asked) => this.#ledger.entries(...asked);
  checkpoints: Ledger['checkpoints'] = (...asked) => this.#ledger.checkpoints(...asked);
  receipt: Ledger['receipt'] = (...asked) => this.#ledger.receipt(...asked);
  follow: Ledger['follow'] = (...asked) => this.#ledger.follow(...asked);
  withFence: Ledger['withFence'] = (...asked) => this.#ledger.withFence(...asked);
  status: Ledger['status'] = () => this.#ledger.status();
  close: Ledger['close'] = () => this.#ledger.close();
}
