import type { AwsStoreOptions } from './aws/options.ts';
import type { KeyStoreDriver } from './driver.ts';
import { type FileStoreOptions, openFileStore } from './file/file-store.ts';
import type { VaultStoreOptions } from './vault/options.ts';

/** Every adapter, by the kind that configuration names, with what opens it. */
export const keyStoreAdapters = {
  // Loaded when it is used: whoever keeps keys in a file needs no SDK of AWS.
  aws: async (options: AwsStoreOptions): Promise<KeyStoreDriver> =>
    (await import('./aws/aws-store.ts')).openAwsStore(options),
  file: (options: FileStoreOptions): Promise<KeyStoreDriver> => openFileStore(options),
  // Loaded when it is used: whoever keeps keys in a file needs no client of Vault.
  vault: async (options: VaultStoreOptions): Promise<KeyStoreDriver> =>
    (await import('./vault/vault-store.ts')).openVaultStore(options),
} as const;

export type KeyStoreKind = keyof typeof keyStoreAdapters;

/** What an adapter of this kind needs to open its store. */
export type KeyStoreConfig<K extends KeyStoreKind = KeyStoreKind> = Parameters<(typeof keyStoreAdapters)[K]>[0];
