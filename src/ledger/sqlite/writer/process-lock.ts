import { DatabaseSync } from 'node:sqlite';
import { KeyturnError } from '../../../core/errors.ts';
import { sqliteFault } from '../database/fault.ts';
import { lockPath, prepareFile } from '../database/files.ts';

/**
 * Keeps every other process from writing to this ledger: an exclusive transaction on an empty database beside it,
 * never committed. The kernel releases it when the process ends, however it ends.
 */
export class ProcessLock implements Disposable {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** @throws KeyturnError `ledger_in_use`. */
  static take(ledgerPath: string): ProcessLock {
    const path = lockPath(ledgerPath);
    prepareFile(path);
    const database = new DatabaseSync(path, { timeout: 0 });
    try {
      // Nothing is ever written to it, so it needs no journal file beside it.
      database.exec('PRAGMA journal_mode = MEMORY');
      database.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      database.close();
      if (sqliteFault(error) === null) throw error;
      throw new KeyturnError('ledger_in_use', `Another process has the ledger ${ledgerPath} open for writing.`, {
        fix: 'Stop the other Keyturn server, or give this one a ledger of its own.',
      });
    }
    return new ProcessLock(database);
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}
