import type { KeyStoreDriver } from './driver.ts';
import { type FileStoreOptions, openFileStore } from './file/file-store.ts';

/** Every adapter, by the kind that configuration names, with what opens it. */
export const keyStoreAdapters = {
  file: (options: FileStoreOptions): Promise<KeyStoreDriver> => openFileStore(options),
} as const;

export type KeyStoreKind = keyof typeof keyStoreAdapters;

/** What an adapter of this kind needs to open its store. */
export type KeyStoreConfig<K extends KeyStoreKind = KeyStoreKind> = Parameters<(typeof keyStoreAdapters)[K]>[0];
