import type { Narrator } from '../narrator.ts';

/** A key store of the story beside the instance's own file: a real server, set up as an operator would. */
export interface StoryStore extends AsyncDisposable {
  /** Member of `stores` in keyturn.yaml. */
  readonly setting: Readonly<Record<string, unknown>>;
  /** What the server itself says of a record, asked past Keyturn by whoever may do everything there. Never the key. */
  show(record: string): Promise<readonly string[]>;
}

export const STORES = ['file', 'vault', 'aws'] as const;
export type StoreName = (typeof STORES)[number];

/**
 * Starts the server of a store. Null for `file`: the instance's own encrypted file needs none.
 * @param folder where what Keyturn needs to log in is put.
 */
export async function startStore(name: StoreName, folder: string, narrator: Narrator): Promise<StoryStore | null> {
  if (name === 'vault') return (await import('./vault.ts')).startVault(folder, narrator);
  if (name === 'aws') return (await import('./aws.ts')).startAws(narrator);
  return null;
}
