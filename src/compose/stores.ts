import type { Clock } from '../core/clock.ts';
import { KeyturnError } from '../core/errors.ts';
import { enrolStore } from '../credential/version/attest.ts';
import { KeyCache } from '../keystore/cache/key-cache.ts';
import type { Circuit } from '../keystore/circuit.ts';
import type { KeyStoreDriver, KeyStoreHealth } from '../keystore/driver.ts';
import { KeyStore, type KeyStoreVerb } from '../keystore/keystore.ts';
import { keyStoreAdapters } from '../keystore/registry.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Config } from './config.ts';
import { exists } from './exists.ts';
import { type AskSecret, makeMasterKey, masterKeySource } from './master-key.ts';
import { OWN_STORE, type StoreSetting } from './settings/stores.ts';

/** Told what goes on at the stores, for metrics and log. Must not throw. */
export interface StoreObserver {
  readonly call?: (store: string, verb: KeyStoreVerb, ok: boolean, seconds: number) => void;
  readonly failure?: (store: string, verb: KeyStoreVerb, error: unknown) => void;
  readonly health?: (store: string, health: KeyStoreHealth) => void;
  readonly circuit?: (store: string, circuit: Circuit) => void;
  readonly cache?: (result: 'hit' | 'miss') => void;
}

/** The instance's own encrypted file, with the log's and the CA's keys. */
export async function openOwnStore(config: Config, ask: AskSecret, observer: StoreObserver): Promise<KeyStore> {
  const master = masterKeySource(config.masterKey, ask);
  return named(OWN_STORE, await keyStoreAdapters.file({ path: config.keystore, master }), observer);
}

/**
 * Opens a further store and enrols it. A store elsewhere is asked nothing: it may be down, and health says so. An
 * encrypted file that the ledger has never known is made, empty.
 * @throws KeyturnError `config_invalid`; of a file, whatever stands in the way of opening it.
 */
export async function openFurtherStore(
  setting: StoreSetting,
  ledger: Ledger,
  { ask, observer }: { readonly ask: AskSecret; readonly observer: StoreObserver },
): Promise<KeyStore> {
  const adoptFrom = setting.kind === 'file' ? [] : setting.adoptFrom;
  const store = named(setting.name, await openDriver(setting, ledger, ask, observer), observer, adoptFrom);
  try {
    await enrolStore(ledger, store);
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function openDriver(
  setting: StoreSetting,
  ledger: Ledger,
  ask: AskSecret,
  observer: StoreObserver,
): Promise<KeyStoreDriver> {
  const { name } = setting;
  if (setting.kind === 'file') return openFile(setting, ledger, ask);
  const onCircuit = (circuit: Circuit) => observer.circuit?.(name, circuit);
  onCircuit('closed');
  try {
    return setting.kind === 'vault'
      ? await keyStoreAdapters.vault({ ...setting.options, onCircuit })
      : await keyStoreAdapters.aws({ ...setting.options, onCircuit });
  } catch (error) {
    if (!(error instanceof KeyturnError)) throw error;
    const { code, message, fix, facts } = error;
    throw new KeyturnError(code, `Key store ${name}: ${message}`, { ...(fix === undefined ? {} : { fix }), facts });
  }
}

async function openFile(
  { name, path, masterKey }: Extract<StoreSetting, { kind: 'file' }>,
  ledger: Ledger,
  ask: AskSecret,
): Promise<KeyStoreDriver> {
  const master = masterKeySource(masterKey, ask);
  const [known] = await ledger.find('stores', { store: name });
  if (known !== undefined || (await exists(path))) return keyStoreAdapters.file({ path, master });
  await makeMasterKey(masterKey, path);
  return (await import('../keystore/file/file-store.ts')).createFileStore({ path, master });
}

/** Of an encrypted file's records too: they rest sealed in this process's memory anyway, and this is the shorter way. */
export function keyCache({ stores, cacheSeconds }: Config, clock: Clock, { cache }: StoreObserver): KeyCache {
  const kept = cacheSeconds === null ? [] : [OWN_STORE, ...stores.map(({ name }) => name)];
  return new KeyCache({
    stores: new Set(kept),
    seconds: cacheSeconds ?? 0,
    clock,
    ...(cache === undefined ? {} : { observe: cache }),
  });
}

function named(
  name: string,
  driver: KeyStoreDriver,
  { call, failure, health }: StoreObserver,
  adoptFrom: readonly string[] = [],
): KeyStore {
  return new KeyStore(name, driver, {
    adoptFrom,
    ...(call === undefined ? {} : { observe: (verb, ok, seconds) => call(name, verb, ok, seconds) }),
    ...(failure === undefined ? {} : { onFailure: (verb, error) => failure(name, verb, error) }),
    ...(health === undefined ? {} : { onHealth: (told) => health(name, told) }),
  });
}
