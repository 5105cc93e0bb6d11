import { KeyturnError } from '../../core/errors.ts';
import type { KeyStore } from '../../keystore/keystore.ts';
import type { Desk } from '../desk.ts';

/**
 * The store of this name; the default one for none.
 * @throws KeyturnError `invalid_input`, with the names there are.
 */
export function namedStore({ stores, defaultStore }: Desk, name: string | undefined): KeyStore {
  if (name === undefined) return defaultStore;
  const store = stores.get(name);
  if (store !== undefined) return store;
  throw new KeyturnError('invalid_input', 'This server has no key store of that name.', {
    fix: `Its stores: ${[...stores.keys()].join(', ')}.`,
  });
}
