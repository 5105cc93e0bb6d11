import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '../../../src/core/clock.ts';
import { underFence } from '../../../src/credential/store/in-turn.ts';
import { StoreQueue, storePlace } from '../../../src/credential/store/store-queue.ts';
import { isPublishing } from '../../../src/issuer/driver.ts';
import type { AuthorityHome } from '../../../src/issuer/local/options.ts';
import { issuerAdapters } from '../../../src/issuer/registry.ts';
import { createFileStore } from '../../../src/keystore/file/file-store.ts';
import { generateKeyFile } from '../../../src/keystore/file/master/generate.ts';
import { KeyStore } from '../../../src/keystore/keystore.ts';
import { openSqliteLedger } from '../../../src/ledger/sqlite/open.ts';
import { freshPlace } from '../../ledger/sqlite/place.ts';
import type { IssuerHarness, IssuerPlace } from './issuer.ts';

/** A ledger and a key store of its own, real both. */
export async function makeAuthorityHome(
  clock: Clock = systemClock,
): Promise<AuthorityHome & { readonly remove: () => Promise<void> }> {
  const place = await freshPlace();
  const keys = await mkdtemp(join(tmpdir(), 'keyturn-key-'));
  const path = join(place.folder, 'keys.ktn');
  const master = await generateKeyFile(join(keys, 'master.key'), path);
  const store = new KeyStore('file', await createFileStore({ path, master }));
  const ledger = await openSqliteLedger(place);
  const queue = new StoreQueue(ledger);
  return {
    ledger,
    clock,
    stores: new Map([[store.name, store]]),
    store: store.name,
    inTurn: (name, effect) => queue.run([storePlace(name)], (fence) => effect(underFence(ledger, fence))),
    attested: async () => {
      const state = await store.attest();
      return state === null ? [] : [{ put: 'stores', row: { store: store.name, ...state } }];
    },
    remove: async () => {
      await ledger.close();
      await store.close();
      await place.remove();
      await rm(keys, { recursive: true });
    },
  };
}

async function makeLocalPlace(): Promise<IssuerPlace> {
  const home = await makeAuthorityHome();
  const driver = await issuerAdapters.local({ name: 'internal', home });
  return {
    driver,
    list: async () => {
      if (!isPublishing(driver)) throw new Error('The built-in authority publishes nothing.');
      return { crl: (await driver.revocationList()).pem, authority: await driver.authority() };
    },
    reopen: () => issuerAdapters.local({ name: 'internal', home }),
    remove: home.remove,
  };
}

export const localHarness: IssuerHarness = { makePlace: makeLocalPlace, exceptions: {} };
