import { randomBytes } from 'node:crypto';
import { dirname, resolve } from 'node:path';
import { KeyturnError } from '../../core/errors.ts';
import { HeldFile, MAX_FILE_OCTETS } from './disk/held-file.ts';
import { identify } from './disk/identity.ts';
import { FileLock } from './disk/lock.ts';
import { checkPrivateFolder, errno, openPrivateFile } from './disk/owner-only.ts';
import { readWhole } from './disk/read-whole.ts';
import { ReplaceFailure, replaceFile, sweepTemporaries } from './disk/replace.ts';
import { FileStore } from './driver.ts';
import { decodeState, encodeState, type StoreState } from './key-file/image.ts';
import { freshKeys, lockUnder } from './key-file/keys.ts';
import { STORE_ID_OCTETS } from './key-file/layout.ts';
import type { MasterKeySource } from './master/source.ts';

export interface FileStoreOptions {
  /** The store's file, e.g. `/var/lib/keyturn/keys.ktn`, in a folder of this process's user alone (mode 0700). */
  readonly path: string;
  readonly master: MasterKeySource;
}

/**
 * Makes an empty store (generation 1), durable when this resolves, and opens it.
 * @throws KeyturnError `conflict` when there is a file already, `keystore_insecure`, `keystore_in_use`, `not_found`
 *   for the folder, `keystore_unavailable`, or what the master key source throws.
 */
export async function createFileStore({ path, master }: FileStoreOptions): Promise<FileStore> {
  return holding(path, async (absolute, lock) => {
    if ((await identify(absolute)) !== null) {
      throw new KeyturnError('conflict', `There is already a file ${absolute}.`, {
        fix: 'Open it, or choose another path. Keyturn never overwrites a key store.',
      });
    }
    const state = await emptyState(master);
    const octets = encodeState(state);
    try {
      const identity = await replaceFile(absolute, octets);
      return new FileStore(new HeldFile(absolute, lock, { octets, identity }), state);
    } catch (error) {
      const code = error instanceof ReplaceFailure ? error.errno : errno(error);
      throw new KeyturnError('keystore_unavailable', `The key store ${absolute} could not be made (${code}).`);
    }
  });
}

/**
 * Opens a store: owner and modes are checked, what an interrupted change left is removed, and every record is
 * authenticated before anything is returned.
 * @throws KeyturnError `not_found`, `keystore_insecure`, `keystore_in_use`, `keystore_corrupt`, `master_key_wrong`,
 *   `keystore_unavailable`, or what the master key source throws.
 */
export async function openFileStore({ path, master }: FileStoreOptions): Promise<FileStore> {
  await checkPrivateFolder(dirname(resolve(path)));
  await (await openPrivateFile(path)).close();
  return holding(path, async (absolute, lock) => {
    await sweepTemporaries(absolute);
    const content = await readWhole(absolute, { maxOctets: MAX_FILE_OCTETS });
    const state = await decodeState(content.octets, master, absolute);
    return new FileStore(new HeldFile(absolute, lock, content), state);
  });
}

/** Takes the lock, and gives it back when what follows fails. */
async function holding(
  path: string,
  open: (absolute: string, lock: FileLock) => Promise<FileStore>,
): Promise<FileStore> {
  const absolute = resolve(path);
  await checkPrivateFolder(dirname(absolute));
  const lock = await FileLock.acquire(absolute);
  try {
    return await open(absolute, lock);
  } catch (error) {
    lock[Symbol.dispose]();
    throw error;
  }
}

async function emptyState(master: MasterKeySource): Promise<StoreState> {
  const storeId = randomBytes(STORE_ID_OCTETS);
  const keys = freshKeys(storeId);
  using octets = await master.read();
  const lock = await lockUnder(master, octets, storeId, keys);
  return { file: { storeId, lock, generation: 1, records: new Map() }, keys, tags: new Map(), master };
}
