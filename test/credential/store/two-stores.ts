import type { KeyStoreDriver } from '../../../src/keystore/driver.ts';
import { Stage } from '../stage.ts';

/** A further encrypted file, in the folders that init makes with the mode that a store needs. */
const ARCHIVE = { kind: 'file', path: 'keys/archive.ktn', 'master-key': { file: 'master/archive.key' } };

/** A stage whose instance has a second store, `archive`. */
export function twoStores(more: Readonly<Record<string, object>> = {}): Promise<Stage> {
  return Stage.set({ stores: { archive: ARCHIVE, ...more } });
}

export function driverOf(stage: Stage, name: string): KeyStoreDriver {
  const store = stage.desk.stores.get(name);
  if (store === undefined) throw new Error(`no store ${name}`);
  return store.driver;
}
