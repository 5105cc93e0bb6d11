import { mkdir, mkdtemp, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isKeyturnError, KeyturnError } from '../../core/errors.ts';
import { syncFolder } from '../../core/io/sync-folder.ts';
import { whyFile } from '../../core/io/why-file.ts';
import { FileLock } from '../../keystore/file/disk/lock.ts';
import { errno } from '../../keystore/file/disk/owner-only.ts';
import { exists } from '../exists.ts';

const LOCK = 'restore';
const INSTANCE = 'instance';
const ATTEMPTS = 5;
const NEW_FOLDER = 'Restore into a new folder: --home FOLDER';

/**
 * The folder that a restore works in, within one of its own beside the name that it takes at the very end; else it goes
 * with all that is in it. What a killed restore left, the ledger as plain text above all, goes before the next one of
 * the same name. Whoever holds the lock, and nobody else, moves or removes what lies beside it.
 */
export class Staging implements AsyncDisposable {
  /** Becomes the instance's folder. */
  readonly path: string;
  readonly #folder: string;
  readonly #home: string;
  readonly #lock: FileLock;

  private constructor(folder: string, home: string, lock: FileLock) {
    this.path = join(folder, INSTANCE);
    this.#folder = folder;
    this.#home = home;
    this.#lock = lock;
  }

  /** @throws KeyturnError `conflict` where something stands under that name, or no folder could come to bear it. */
  static async make(home: string): Promise<Staging> {
    await requireFree(home);
    await removeLeftovers(home);
    const { folder, lock } = await lockedFolder(home);
    await using undo = new AsyncDisposableStack();
    const staging = undo.use(new Staging(folder, home, lock));
    await mkdir(staging.path, { mode: 0o700 });
    undo.move();
    return staging;
  }

  /** An empty folder of that name is replaced. @throws KeyturnError `conflict` for one that was filled meanwhile. */
  async handOver(): Promise<void> {
    await rename(this.path, this.#home).catch((error: unknown) => {
      const code = errno(error);
      if (['ENOTEMPTY', 'EEXIST', 'ENOTDIR'].includes(code)) throw notEmpty(this.#home);
      throw ['EBUSY', 'EXDEV'].includes(code) ? mounted(this.#home) : error;
    });
    await syncFolder(dirname(this.#home));
    // The instance stands; an empty folder that can't be removed is the next restore's to remove.
    await this[Symbol.asyncDispose]().catch(() => undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await removeLocked(this.#folder);
    } finally {
      this.#lock[Symbol.dispose]();
    }
  }
}

async function requireFree(home: string): Promise<void> {
  const found = await readdir(home).catch(async (error: unknown) => {
    if (errno(error) === 'ENOENT') return null;
    if (errno(error) === 'ENOTDIR' && (await exists(home))) throw notEmpty(home);
    throw cannotBeMade(home, error);
  });
  const parent = dirname(home);
  try {
    await mkdir(parent, { recursive: true, mode: 0o700 });
    if (found === null) return;
    if ((await stat(home)).dev !== (await stat(parent)).dev) throw mounted(home);
  } catch (error) {
    throw isKeyturnError(error) ? error : cannotBeMade(home, error);
  }
  if (found.length > 0) throw notEmpty(home);
}

/** Begins again when another restore took the folder for an abandoned one before it was locked. */
async function lockedFolder(home: string): Promise<{ readonly folder: string; readonly lock: FileLock }> {
  for (let attempt = 1; ; attempt += 1) {
    const folder = await mkdtemp(`${home}.restoring-`).catch((error: unknown) => {
      throw cannotBeMade(home, error);
    });
    try {
      return { folder, lock: await FileLock.acquire(join(folder, LOCK)) };
    } catch (error) {
      if (attempt < ATTEMPTS && (isKeyturnError(error, 'keystore_in_use') || !(await exists(folder)))) continue;
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
  }
}

async function removeLeftovers(home: string): Promise<void> {
  const prefix = `${basename(home)}.restoring-`;
  for (const entry of await readdir(dirname(home), { withFileTypes: true })) {
    const { name } = entry;
    const named = name.startsWith(prefix) && /^[A-Za-z0-9]{6}$/.test(name.slice(prefix.length));
    if (named && entry.isDirectory()) await removeAbandoned(join(dirname(home), name));
  }
}

/** Not while another restore is at work in it, nor a folder that none has made: nobody else has that lock. */
async function removeAbandoned(folder: string): Promise<void> {
  const found = await readdir(folder).catch(() => null);
  if (found?.length === 0) await rmdir(folder).catch(() => undefined);
  if (found === null || !found.includes(`${LOCK}.lock`)) return;
  try {
    using _lock = await FileLock.acquire(join(folder, LOCK));
    await removeLocked(folder);
  } catch (error) {
    if (!isKeyturnError(error, 'keystore_in_use') && (await exists(folder))) throw error;
  }
}

/** The lock goes last: without it, what a kill leaves would be taken for somebody else's. */
async function removeLocked(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (name !== `${LOCK}.lock`) await rm(join(folder, name), { recursive: true, force: true });
  }
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}

function notEmpty(home: string): KeyturnError {
  return new KeyturnError('conflict', `${home} is not an empty folder.`, { fix: NEW_FOLDER });
}

function cannotBeMade(home: string, error: unknown): KeyturnError {
  const what = `No folder can be made beside ${home}${whyFile(error)}; a restore works in one until all is well.`;
  return new KeyturnError('conflict', what, { fix: `${NEW_FOLDER} in one that you may write to.` });
}

function mounted(home: string): KeyturnError {
  return new KeyturnError('conflict', `Something is mounted at ${home}, so that no other folder can take its name.`, {
    fix: `Restore into a folder on it: --home ${join(home, 'instance')}.`,
  });
}
