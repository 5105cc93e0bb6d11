import { closeSync, constants, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { KeyturnError } from '../../../core/errors.ts';
import { type FileIdentity, identify, isSameFile } from './identity.ts';
import { lockHolder } from './lock-holder.ts';
import { errno } from './owner-only.ts';

const SQLITE_BUSY = 5;
const SQLITE_READONLY = 8;

/**
 * One holder of a file at a time, across processes and within one. The kernel releases it when the process ends,
 * however it ends. Node has no call for file locks; SQLite has, so the lock is an exclusive transaction on an empty
 * database `<path>.lock`, which is never deleted. Works on local file systems only.
 */
export class FileLock implements Disposable {
  readonly #database: DatabaseSync;
  readonly #path: string;
  readonly #identity: FileIdentity;

  private constructor(database: DatabaseSync, path: string, identity: FileIdentity) {
    this.#database = database;
    this.#path = path;
    this.#identity = identity;
  }

  /** @throws KeyturnError `keystore_in_use`, or `keystore_unavailable` when the lock file can't be used at all. */
  static async acquire(lockedPath: string): Promise<FileLock> {
    const path = `${lockedPath}.lock`;
    createPrivate(path);
    const database = begin(path) ?? (await inUse(path, lockedPath));
    const identity = await identify(path);
    if (identity === null) {
      database.close();
      throw new KeyturnError('keystore_in_use', `The lock ${path} was removed while it was taken.`);
    }
    return new FileLock(database, path, identity);
  }

  /** False once the lock file was removed or replaced: someone else may then hold another lock of that name. */
  async holds(): Promise<boolean> {
    return isSameFile(this.#identity, await identify(this.#path));
  }

  [Symbol.dispose](): void {
    if (this.#database.isOpen) this.#database.close();
  }
}

/**
 * Only ever opens a file that it makes: closing any descriptor of an existing lock file would drop the POSIX lock
 * which this very process may hold on it (fcntl(2), "Advisory record locking").
 */
function createPrivate(path: string): void {
  try {
    closeSync(openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600));
  } catch (error) {
    if (errno(error) === 'EEXIST') return;
    throw new KeyturnError('keystore_unavailable', `The lock file ${path} can't be made (${errno(error)}).`);
  }
}

/** Null when it is held elsewhere. */
function begin(path: string): DatabaseSync | null {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { timeout: 0 });
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    // On a read-only disk an exclusive transaction excludes nobody; a change to it is refused there. Never committed.
    database.exec('PRAGMA user_version = 1');
    return database;
  } catch (error) {
    database?.close();
    const code = error instanceof Error && 'errcode' in error ? error.errcode : null;
    if (code === SQLITE_BUSY) return null;
    if (code === SQLITE_READONLY) {
      throw new KeyturnError('keystore_unavailable', `The lock file ${path} can't be locked: its disk is read-only.`, {
        fix: 'Mount it for writing; without a lock a second process could open the store as well.',
      });
    }
    throw new KeyturnError('keystore_unavailable', `The lock file ${path} can't be locked.`, {
      fix: `Keep the key store on a local disk; when ${path} is damaged and no Keyturn runs, remove it.`,
    });
  }
}

async function inUse(path: string, lockedPath: string): Promise<never> {
  const holder = await lockHolder(path);
  const who = holder === process.pid ? 'in this very process' : holder === null ? 'elsewhere' : `in process ${holder}`;
  throw new KeyturnError('keystore_in_use', `The key store ${lockedPath} is open ${who}.`, {
    fix: 'Stop the other Keyturn process, or speak to it instead of to the file.',
    facts: { process: holder },
  });
}
