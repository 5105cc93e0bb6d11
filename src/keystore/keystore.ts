import { isKeyturnError, KeyturnError } from '../core/errors.ts';
import { SecretBytes } from '../core/secret-bytes.ts';
import {
  type Attesting,
  isAttesting,
  isLingering,
  isPermitting,
  type KeyStoreDriver,
  type KeyStoreHealth,
} from './driver.ts';
import type { ForeignSecret } from './foreign/foreign-secret.ts';
import { isForeignReading, isPlainPath, matchesPattern } from './foreign/reading.ts';
import { inDoubt } from './in-doubt.ts';
import { type RecordName, recordName } from './record-name.ts';
import { SharedHealth } from './shared-health.ts';

export type KeyStoreVerb = 'write' | 'read' | 'list' | 'destroy' | 'attest' | 'adopt';

export interface KeyStoreOptions {
  /** How long one call of the driver may take, in milliseconds. Default: 10 000. */
  readonly timeoutMs?: number;
  /** Told after each verb: whether it succeeded, and how many seconds it took. Must not throw. */
  readonly observe?: (verb: KeyStoreVerb, ok: boolean, seconds: number) => void;
  /** Told of each verb that failed, and of each answer about health. Neither may throw. */
  readonly onFailure?: (verb: KeyStoreVerb, error: unknown) => void;
  readonly onHealth?: (health: KeyStoreHealth) => void;
  /** Paths of others' secrets that keys may be adopted from: each one path, or with `/*` all below. Default: none. */
  readonly adoptFrom?: readonly string[];
}

/** Largest record, in octets. The tightest among the stores is AWS Secrets Manager's limit of 65 536. */
const MAX_RECORD_OCTETS = 64 * 1024;

/**
 * A key store as its users hold it, over whichever driver. Validates names and lengths, ends calls that hang, and
 * never leaves secret octets behind: what a driver delivers too late is wiped.
 *
 * Every verb rejects with a KeyturnError: `invalid_input` and `payload_too_large` before the driver is asked;
 * `keystore_unavailable` on a time-out or an error that the driver did not name, in which case the verb may have
 * happened; otherwise what the driver says.
 */
export class KeyStore {
  /** As configuration calls it. */
  readonly name: string;
  readonly driver: KeyStoreDriver;
  readonly #timeoutMs: number;
  readonly #observe: (verb: KeyStoreVerb, ok: boolean, seconds: number) => void;

  readonly #onFailure: (verb: KeyStoreVerb, error: unknown) => void;
  readonly #adoptFrom: readonly string[];

  readonly #health: SharedHealth;

  constructor(name: string, driver: KeyStoreDriver, options: KeyStoreOptions = {}) {
    this.name = name;
    this.driver = driver;
    this.#timeoutMs = options.timeoutMs ?? 10_000;
    this.#observe = options.observe ?? (() => {});
    this.#onFailure = options.onFailure ?? (() => {});
    this.#health = new SharedHealth(() => this.#askHealth(), options.onHealth ?? (() => {}));
    this.#adoptFrom = options.adoptFrom ?? [];
  }

  /**
   * Writes, then reads back and compares. The caller keeps `octets`, and may wipe them as soon as this settles.
   * @throws KeyturnError `keystore_conflict` when the record stands there with other octets, or reads back as others.
   */
  write(record: RecordName, octets: SecretBytes): Promise<void> {
    return this.#observed('write', async () => {
      recordName(record);
      checkLength(octets.length);
      // A driver that hangs may look at its argument long after our caller has wiped the original.
      const copy = SecretBytes.copyOf(octets.bytes);
      const written = this.#started(() => this.driver.write(record, copy)).finally(() => copy.dispose());
      await this.#inTime('write', written);
      using readBack = await this.#fetch(record).catch((error: unknown) => {
        throw inDoubt(error);
      });
      if (readBack === null || !readBack.equals(octets)) {
        throw new KeyturnError(
          'keystore_conflict',
          `The key store ${this.name} returned ${record} otherwise than it was written.`,
          {
            fix: 'Do not use this record. Check who else writes to the store.',
          },
        );
      }
    });
  }

  /** @throws KeyturnError `not_found` when there is certainly no such record. */
  async read(record: RecordName): Promise<SecretBytes> {
    const octets = await this.tryRead(record);
    if (octets !== null) return octets;
    throw new KeyturnError('not_found', `The key store ${this.name} has no record ${record}.`);
  }

  /** The octets, owned by the caller; null when there is certainly no such record. */
  tryRead(record: RecordName): Promise<SecretBytes | null> {
    return this.#observed('read', async () => {
      recordName(record);
      return this.#fetch(record);
    });
  }

  /** Names in no order. */
  list(): Promise<RecordName[]> {
    return this.#observed('list', () =>
      this.#inTime(
        'list',
        this.#started(() => this.driver.list()),
      ),
    );
  }

  /** Gone for good when it resolves; resolves too when there was no such record. */
  destroy(record: RecordName): Promise<void> {
    return this.#observed('destroy', async () => {
      recordName(record);
      await this.#inTime(
        'destroy',
        this.#started(() => this.driver.destroy(record)),
      );
    });
  }

  /**
   * Never rejects. Takes as long as the driver's own time-outs. Many who ask at once share one probe of the driver;
   * `maxAgeMs` takes an answer that old too, so that strangers who probe us do not make us probe the store. Default 0.
   */
  health(maxAgeMs = 0): Promise<KeyStoreHealth> {
    return this.#health.now(maxAgeMs);
  }

  /**
   * The same for whoever can't wait: after so many milliseconds it is that the store does not answer; with `lastWord` it
   * is what it said last, if that was within a minute, since a store elsewhere that is slow and works is not down.
   */
  async healthWithin(ms: number, maxAgeMs: number, lastWord: boolean): Promise<KeyStoreHealth> {
    return (await this.#health.within(ms, maxAgeMs, lastWord)) ?? this.#silent();
  }

  async #askHealth(): Promise<KeyStoreHealth> {
    try {
      return await this.#inTime(
        'health',
        this.#started(() => this.driver.health()),
      );
    } catch {
      return this.#silent();
    }
  }

  #silent(): KeyStoreHealth {
    return { ready: false, detail: `The key store ${this.name} does not answer.` };
  }

  /** What the store says it holds, see {@link Attesting}; null when its driver can't attest. */
  async attest(without: readonly RecordName[] = []): Promise<Awaited<ReturnType<Attesting['attest']>> | null> {
    const driver = this.driver;
    if (!isAttesting(driver)) return null;
    return this.#observed('attest', () =>
      this.#inTime(
        'attest',
        this.#started(() => driver.attest(without)),
      ),
    );
  }

  /** Who can bring back what was destroyed, and how long; null when nobody can. */
  get lingers(): string | null {
    return isLingering(this.driver) ? this.driver.lingers : null;
  }

  /** What its login may not do there, see {@link Permitting}; null when that can't be told. Never rejects. */
  async lacking(): Promise<readonly string[] | null> {
    const driver = this.driver;
    if (!isPermitting(driver)) return null;
    const told = this.#inTime(
      'lacking',
      this.#started(() => driver.lacking()),
    );
    return told.catch(() => null);
  }

  /** Whether the configuration lets a key be adopted from this path. */
  mayAdopt(path: string): boolean {
    return isPlainPath(path) && this.#adoptFrom.some((pattern) => matchesPattern(path, pattern));
  }

  /**
   * A secret that others put into the store; the caller disposes of it.
   * @throws KeyturnError `invalid_input` for a store that holds nothing but our own records; `permission_denied` for a
   * path that the configuration does not name; otherwise what {@link ForeignReading} says.
   */
  async readForeign(path: string): Promise<ForeignSecret> {
    const driver = this.driver;
    if (!isForeignReading(driver)) {
      throw new KeyturnError('invalid_input', `Nothing is adopted from ${this.name}: it holds our own records alone.`, {
        fix: 'Name a store in Vault or AWS; for files: keyturn import.',
      });
    }
    if (!this.mayAdopt(path)) {
      throw new KeyturnError('permission_denied', `Nothing is adopted from that path of ${this.name}.`);
    }
    return this.#observed('adopt', () =>
      this.#inTime(
        'adopt',
        this.#started(() => driver.readForeign(path)),
        (late) => late[Symbol.dispose](),
      ),
    );
  }

  close(): Promise<void> {
    return this.driver.close();
  }

  async #fetch(record: RecordName): Promise<SecretBytes | null> {
    const octets = await this.#inTime(
      'read',
      this.#started(() => this.driver.read(record)),
      (late) => late?.dispose(),
    );
    if (octets === null || (octets.length > 0 && octets.length <= MAX_RECORD_OCTETS)) return octets;
    octets.dispose();
    throw new KeyturnError('keystore_corrupt', `The record ${record} of ${this.name} has an impossible length.`);
  }

  /** The driver's promise, its errors made ours: what others throw may quote secrets, so it is not kept as a cause. */
  async #started<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      if (isKeyturnError(error)) throw error;
      throw new KeyturnError('keystore_unavailable', `The key store ${this.name} failed without saying why.`);
    }
  }

  #inTime<T>(what: string, call: Promise<T>, discard: (late: T) => void = () => {}): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      const message = `The key store ${this.name} did not answer ${what} within ${this.#timeoutMs} ms.`;
      reject(
        new KeyturnError('keystore_unavailable', message, {
          fix: 'Check that the store can be reached; what was asked may still have happened.',
        }),
      );
    }, this.#timeoutMs);
    call.then((result) => (late ? discard(result) : resolve(result)), reject).finally(() => clearTimeout(timer));
    return promise;
  }

  async #observed<T>(verb: KeyStoreVerb, call: () => Promise<T>): Promise<T> {
    const start = performance.now();
    let ok = false;
    try {
      const result = await call();
      ok = true;
      return result;
    } catch (error) {
      this.#onFailure(verb, error);
      throw error;
    } finally {
      this.#observe(verb, ok, (performance.now() - start) / 1000);
    }
  }
}

function checkLength(octets: number): void {
  if (octets === 0) throw new KeyturnError('invalid_input', 'A record of no octets is not a secret.');
  if (octets > MAX_RECORD_OCTETS) {
    throw new KeyturnError('payload_too_large', `A record has at most ${MAX_RECORD_OCTETS} octets, not ${octets}.`);
  }
}
