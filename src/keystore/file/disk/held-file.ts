import { createHash } from 'node:crypto';
import { KeyturnError } from '../../../core/errors.ts';
import { type FileIdentity, identify, isUntouched } from './identity.ts';
import type { FileLock } from './lock.ts';
import { errno } from './owner-only.ts';
import { type FileContent, readWhole } from './read-whole.ts';
import { ReplaceFailure, replaceFile, sweepTemporaries } from './replace.ts';

/** Largest file. It is held in memory, and rewritten at each change. */
export const MAX_FILE_OCTETS = 64 * 1024 * 1024;

/**
 * A file that is replaced as a whole, under a lock. Knows what it last put there, so that it never overwrites what
 * someone else did, and what it may have put there when a replacement's outcome is in doubt. Not for concurrent use.
 */
export class HeldFile {
  readonly path: string;
  readonly #lock: FileLock;
  #identity: FileIdentity;
  #hash: string;
  #attemptedHash: string | null = null;

  constructor(path: string, lock: FileLock, content: FileContent) {
    this.path = path;
    this.#lock = lock;
    this.#identity = content.identity;
    this.#hash = hashOf(content.octets);
  }

  /** True after a replacement that may have happened, until `settle` resolves. */
  get inDoubt(): boolean {
    return this.#attemptedHash !== null;
  }

  /**
   * @throws KeyturnError `keystore_unavailable`, with the fact `certain: false` when the file is then in doubt and
   *   true when the old one is in force; `keystore_rollback` and `keystore_in_use` as `assertUndisturbed`.
   */
  async replace(octets: Buffer): Promise<void> {
    await this.assertUndisturbed();
    try {
      this.#identity = await replaceFile(this.path, octets);
      this.#hash = hashOf(octets);
    } catch (error) {
      const ambiguous = error instanceof ReplaceFailure && error.ambiguous;
      if (ambiguous) this.#attemptedHash = hashOf(octets);
      throw this.#notWritten(error, ambiguous);
    }
  }

  /**
   * Ends a doubt: finds out which of the two contents is there, and writes it anew, since what a failed sync left may
   * not last. A third content is never overwritten.
   * @returns whether the attempted replacement is now in force.
   * @throws KeyturnError `keystore_rollback` for a third content; `keystore_unavailable`, and the doubt stays.
   */
  async settle(): Promise<boolean> {
    await this.#assertLocked();
    const { octets } = await readWhole(this.path, { maxOctets: MAX_FILE_OCTETS });
    const hash = hashOf(octets);
    if (hash !== this.#attemptedHash && hash !== this.#hash) throw this.#disturbed();
    try {
      await sweepTemporaries(this.path);
      this.#identity = await replaceFile(this.path, octets);
    } catch (error) {
      throw this.#notWritten(error, true);
    }
    const replaced = hash === this.#attemptedHash;
    this.#attemptedHash = null;
    this.#hash = hash;
    return replaced;
  }

  /**
   * @throws KeyturnError `keystore_rollback` when anyone but us replaced, changed or removed the file;
   *   `keystore_in_use` when the lock file is no longer the one that we hold; `keystore_unavailable`.
   */
  async assertUndisturbed(): Promise<void> {
    await this.#assertLocked();
    if (!isUntouched(this.#identity, await identify(this.path))) throw this.#disturbed();
  }

  /** Gives the lock back. */
  release(): void {
    this.#lock[Symbol.dispose]();
  }

  async #assertLocked(): Promise<void> {
    if (await this.#lock.holds()) return;
    throw new KeyturnError('keystore_in_use', `The lock file of ${this.path} was removed or replaced.`, {
      fix: 'Make sure that no second Keyturn has opened the store, then restart this one.',
    });
  }

  #disturbed(): KeyturnError {
    return new KeyturnError('keystore_rollback', `${this.path} was changed, replaced or removed while it was open.`, {
      fix: 'Nothing was overwritten. Find out what touched the file, then restart.',
    });
  }

  #notWritten(error: unknown, ambiguous: boolean): KeyturnError {
    const code = error instanceof ReplaceFailure ? error.errno : errno(error);
    return new KeyturnError('keystore_unavailable', `${this.path} could not be written (${code}).`, {
      fix: 'Check the disk for errors and free space, then try again.',
      facts: { certain: !ambiguous, errno: code },
    });
  }
}

function hashOf(octets: Buffer): string {
  return createHash('sha256').update(octets).digest('hex');
}
