import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isKeyturnError, KeyturnError } from '../../core/errors.ts';
import { syncFolder } from '../../core/io/sync-folder.ts';
import { FileLock } from '../../keystore/file/disk/lock.ts';
import { errno } from '../../keystore/file/disk/owner-only.ts';

const LOCK = 'restore';

/**
 * The folder that a restore works in, beside the one that it becomes at the very end; else it goes with all that is in
 * it. What a killed restore left, the ledger as plain text above all, goes before the next one of the same name.
 */
export class Staging implements AsyncDisposable {
  readonly path: string;
  readonly #home: string;
  readonly #lock: FileLock;

  private constructor(path: string, home: string, lock: FileLock) {
    this.path = path;
    this.#home = home;
    this.#lock = lock;
  }

  static async make(home: string): Promise<Staging> {
    await removeLeftovers(home);
    const path = await mkdtemp(`${home}.restoring-`);
    try {
      return new Staging(path, home, await FileLock.acquire(join(path, LOCK)));
    } catch (error) {
      await rm(path, { recursive: true, force: true });
      throw error;
    }
  }

  /** An empty folder of that name is replaced. @throws KeyturnError `conflict` for one that was filled meanwhile. */
  async handOver(): Promise<void> {
    this.#lock[Symbol.dispose]();
    await rm(join(this.path, `${LOCK}.lock`));
    await rename(this.path, this.#home).catch((error: unknown) => {
      if (!['ENOTEMPTY', 'EEXIST'].includes(errno(error))) throw error;
      throw notEmpty(this.#home);
    });
    await syncFolder(dirname(this.#home));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#lock[Symbol.dispose]();
    await rm(this.path, { recursive: true, force: true });
  }
}

async function removeLeftovers(home: string): Promise<void> {
  const prefix = `${basename(home)}.restoring-`;
  for (const entry of await readdir(dirname(home), { withFileTypes: true })) {
    const { name } = entry;
    const named = name.startsWith(prefix) && /^[A-Za-z0-9]{6}$/.test(name.slice(prefix.length));
    const left = join(dirname(home), name);
    if (named && entry.isDirectory() && (await isAbandoned(left))) await rm(left, { recursive: true, force: true });
  }
}

/** False while another restore is at work in it, and for a folder that none has made: nobody else has that lock. */
async function isAbandoned(folder: string): Promise<boolean> {
  const found = await readdir(folder);
  if (found.length > 0 && !found.includes(`${LOCK}.lock`)) return false;
  try {
    using _lock = await FileLock.acquire(join(folder, LOCK));
    return true;
  } catch (error) {
    if (isKeyturnError(error, 'keystore_in_use')) return false;
    throw error;
  }
}

export function notEmpty(home: string): KeyturnError {
  return new KeyturnError('conflict', `${home} is not empty.`, { fix: 'Restore into a new folder: --home FOLDER.' });
}
