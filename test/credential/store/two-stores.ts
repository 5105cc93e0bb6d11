import { join } from 'node:path';
import type { KeyStoreDriver } from '../../../src/keystore/driver.ts';
import { edit } from '../../e2e/instance.ts';
import { Stage } from '../stage.ts';

/** A further encrypted file, in the folders that init makes with the mode that a store needs. */
const ARCHIVE = { kind: 'file', path: 'keys/archive.ktn', 'master-key': { file: 'master/archive.key' } };

/** A stage whose instance has a second store, `archive`. */
export async function twoStores(more: Record<string, unknown> = {}): Promise<Stage> {
  const stage = await Stage.set();
  await edit(join(stage.keyturn.home, 'keyturn.yaml'), (config) => ({
    ...config,
    stores: { archive: ARCHIVE, ...more },
  }));
  await stage.keyturn.restart();
  return stage;
}

export function driverOf(stage: Stage, name: string): KeyStoreDriver {
  const store = stage.desk.stores.get(name);
  if (store === undefined) throw new Error(`no store ${name}`);
  return store.driver;
}
