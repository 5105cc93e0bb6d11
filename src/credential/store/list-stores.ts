import type { CompanionRow, VersionState } from '../../ledger/tables.ts';
import { authorise } from '../authorise.ts';
import type { Caller } from '../caller.ts';
import type { Desk } from '../desk.ts';
import { LEGAL_MOVES } from '../version/states.ts';

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

const VERSION_STATES = Object.keys(LEGAL_MOVES) as VersionState[];
const COMPANION_STATES: readonly CompanionRow['state'][] = ['pending', 'current', 'superseded', 'abandoned'];

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
        byState(VERSION_STATES, (state) => desk.ledger.count('versions', { store: name, state })),
        byState(COMPANION_STATES, (state) => desk.ledger.count('companions', { store: name, state })),
        desk.ledger.count('moves', { source: name, state: 'left' }),
      ]);
      return {
        name,
        place: driver.description,
        default: name === desk.defaultStore.name,
        ready,
        detail,
        frozen: desk.holds.isHeld('store', name),
        versions,
        companions,
        leftovers: left,
      };
    }),
  );
}

/** Only the states that there is anything in. */
async function byState<S extends string>(
  states: readonly S[],
  count: (state: S) => Promise<number>,
): Promise<Record<string, number>> {
  const counted = await Promise.all(states.map(async (state) => [state, await count(state)] as const));
  return Object.fromEntries(counted.filter(([, n]) => n > 0));
}
