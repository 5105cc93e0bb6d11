import { authorise } from '../authorise.ts';
import type { Caller } from '../caller.ts';
import type { Desk } from '../desk.ts';

/** A key store with what the ledger knows to lie in it. */
export interface StoreView {
  readonly name: string;
  /** Kind and place. */
  readonly place: string;
  /** New keys go there unless another store is named. */
  readonly default: boolean;
  readonly ready: boolean;
  readonly detail: string;
  readonly frozen: boolean;
  /** How many, by state. */
  readonly versions: Readonly<Record<string, number>>;
  readonly companions: Readonly<Record<string, number>>;
  /** Old copies that moves have left over. */
  readonly leftovers: number;
}

const EVERY_ROW = 1_000_000;

/**
 * Every key store, in the order of the configuration. About no one credential: it takes a grant on all.
 * @throws KeyturnError `permission_denied`.
 */
export async function listStores(desk: Desk, caller: Caller): Promise<StoreView[]> {
  await authorise(desk, caller, 'credential:list', null);
  return Promise.all(
    [...desk.stores.values()].map(async (store): Promise<StoreView> => {
      const { name, driver } = store;
      const [{ ready, detail }, versions, companions, left] = await Promise.all([
        store.health(),
        desk.ledger.find('versions', { store: name }, { limit: EVERY_ROW }),
        desk.ledger.find('companions', { store: name }, { limit: EVERY_ROW }),
        desk.ledger.find('moves', { source: name, state: 'left' }, { limit: EVERY_ROW }),
      ]);
      return {
        name,
        place: driver.description,
        default: name === desk.defaultStore.name,
        ready,
        detail,
        frozen: desk.holds.isHeld('store', name),
        versions: byState(versions),
        companions: byState(companions),
        leftovers: left.length,
      };
    }),
  );
}

function byState(rows: readonly { readonly state: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { state } of rows) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}
