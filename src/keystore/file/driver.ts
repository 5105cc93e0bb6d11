import { access, constants } from 'node:fs/promises';
import { dirname } from 'node:path';
import { KeyturnError } from '../../core/errors.ts';
import type { SecretBytes } from '../../core/secret-bytes.ts';
import type { Attesting, KeyStoreDriver, KeyStoreHealth, Permitting, Portable } from '../driver.ts';
import type { RecordName } from '../record-name.ts';
import { type HeldFile, MAX_FILE_OCTETS } from './disk/held-file.ts';
import { destroyed, rekeyed, relocked, withRecord } from './key-file/change.ts';
import { encodeState, type StoreState } from './key-file/image.ts';
import { contentDigest, unsealRecord } from './key-file/records.ts';
import type { MasterKeySource } from './master/source.ts';

/** Longest wait of a health check on the disk, in milliseconds. */
const HEALTH_TIMEOUT_MS = 900;

/**
 * An open key store file (docs/formats/key-file.md), held under a lock until `close`. Records stay sealed in memory
 * and are opened at each read. Changes run one after another; each rewrites the file whole.
 *
 * A change that fails leaves the old file in force and rejects with `keystore_unavailable`. Where the new one may
 * have taken its place (fact `certain: false`), the next verb first finds out which of the two is there and makes that
 * one durable; a third is refused with `keystore_rollback`, and never overwritten.
 */
export class FileStore implements KeyStoreDriver, Attesting, Permitting, Portable {
  readonly description: string;
  readonly #file: HeldFile;
  #state: StoreState;
  /** The next state, while it is in doubt whether the file holds it. */
  #attempted: StoreState | null = null;
  #closed = false;
  #queue: Promise<unknown> = Promise.resolve();

  /** Use `openFileStore` or `createFileStore`. */
  constructor(file: HeldFile, state: StoreState) {
    this.description = `file ${file.path}`;
    this.#file = file;
    this.#state = state;
  }

  write(record: RecordName, octets: SecretBytes): Promise<void> {
    return this.#change(async (state) => withRecord(state, record, octets));
  }

  async read(record: RecordName): Promise<SecretBytes | null> {
    const { file, keys } = await this.#durableState();
    const sealed = file.records.get(record);
    return sealed === undefined ? null : unsealRecord(keys, file.storeId, record, sealed);
  }

  async list(): Promise<RecordName[]> {
    return [...(await this.#durableState()).file.records.keys()];
  }

  /** What the file system keeps of earlier files stays sealed under the master key of then (format, section 8). */
  destroy(record: RecordName): Promise<void> {
    return this.#change(async (state) => destroyed(state, record));
  }

  async attest(without: readonly RecordName[] = []): Promise<{ readonly generation: number; readonly digest: string }> {
    const { file, tags } = await this.#durableState();
    return { generation: file.generation, digest: contentDigest(tags, without) };
  }

  async snapshot(): Promise<Buffer> {
    return encodeState(await this.#durableState());
  }

  /**
   * Locks the store under another master key; the one before no longer opens it. Copies of earlier files still open
   * with that: after a leak of the master key, replace the data key too, and then every key that rests here.
   */
  async rotateMasterKey(next: MasterKeySource): Promise<void> {
    using octets = await next.read();
    await this.#change((state) => relocked(state, next, octets));
  }

  /**
   * Seals every record anew under a fresh data key. The digest stays. Asks the master key source again.
   * @throws KeyturnError `master_key_wrong` when the source now gives another key than the store is locked with.
   */
  async rotateDataKey(): Promise<void> {
    using octets = await this.#state.master.read();
    await this.#change((state) => rekeyed(state, octets, this.#file.path));
  }

  async health(): Promise<KeyStoreHealth> {
    const { promise: slow, resolve } = Promise.withResolvers<KeyStoreHealth>();
    const timer = setTimeout(() => {
      resolve({ ready: false, detail: `${this.description}: the disk does not answer.` });
    }, HEALTH_TIMEOUT_MS);
    const check = this.#enqueue(async () => {
      await this.#settle();
      await this.#file.assertUndisturbed();
    });
    const answer = check.then(() => ({ ready: true, detail: '' }), unhealthy);
    return Promise.race([answer, slow]).finally(() => clearTimeout(timer));
  }

  /** The file is replaced at each change, so that it is its folder that must be writable. */
  async lacking(): Promise<readonly string[]> {
    const folder = dirname(this.#file.path);
    return access(folder, constants.W_OK).then(
      () => [],
      () => [`writing in ${folder}`],
    );
  }

  /** Waits for changes under way, then gives the lock back. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#queue;
    this.#file.release();
  }

  /** Memory tells what is durable on disk, except after a replacement in doubt. */
  async #durableState(): Promise<StoreState> {
    if (this.#file.inDoubt) await this.#enqueue(() => this.#settle());
    if (this.#closed) throw this.#closedError();
    return this.#state;
  }

  /** `edit` gives the next state, or null when there is nothing to change. */
  #change(edit: (state: StoreState) => Promise<StoreState | null>): Promise<void> {
    return this.#enqueue(async () => {
      await this.#settle();
      const next = await edit(this.#state);
      if (next !== null) await this.#replace(next);
    });
  }

  #enqueue(task: () => Promise<void>): Promise<void> {
    if (this.#closed) return Promise.reject(this.#closedError());
    const done = this.#queue.then(task);
    this.#queue = done.catch(() => {});
    return done;
  }

  async #replace(next: StoreState): Promise<void> {
    const octets = encodeState(next);
    if (octets.length > MAX_FILE_OCTETS) {
      throw new KeyturnError('keystore_unavailable', `${this.description} is full (${MAX_FILE_OCTETS} octets).`, {
        fix: 'Destroy records of retired versions, or move to another key store.',
      });
    }
    this.#attempted = next;
    await this.#file.replace(octets);
    this.#state = next;
  }

  async #settle(): Promise<void> {
    if (!this.#file.inDoubt) return;
    const replaced = await this.#file.settle();
    if (replaced && this.#attempted !== null) this.#state = this.#attempted;
  }

  #closedError(): KeyturnError {
    return new KeyturnError('keystore_unavailable', `${this.description} is closed.`);
  }
}

function unhealthy(error: unknown): KeyStoreHealth {
  return { ready: false, detail: error instanceof KeyturnError ? error.message : 'The key store does not answer.' };
}
