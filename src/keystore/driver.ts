import type { SecretBytes } from '../core/secret-bytes.ts';
import type { RecordName } from './record-name.ts';

/**
 * PORT. What an adapter of a key store implements; users hold a `KeyStore` (keystore.ts), which validates, times and
 * counts. A record is the octets of one private key or one companion secret, written once and never changed.
 *
 * Errors are KeyturnErrors. `keystore_unavailable` is ambiguous: the verb may have happened. Nobody deletes,
 * overwrites or revokes on an ambiguous answer. With the fact `certain: true` what was asked certainly did not happen.
 */
export interface KeyStoreDriver {
  /** Kind and place for people, e.g. `file /var/lib/keyturn/keys.ktn`. No secret. */
  readonly description: string;

  /**
   * Durable when it resolves. Atomic: a reader sees the whole record or none. A second write with the same octets
   * resolves; with other octets it rejects with `keystore_conflict` and changes nothing. The driver does not keep
   * or wipe `octets`.
   */
  write(record: RecordName, octets: SecretBytes): Promise<void>;

  /** The octets, owned by the caller, who disposes of them; null when there is certainly no such record. */
  read(record: RecordName): Promise<SecretBytes | null>;

  /** Every record's name, in no order. */
  list(): Promise<RecordName[]>;

  /** Gone for good when it resolves. Resolves too when there is certainly no such record. */
  destroy(record: RecordName): Promise<void>;

  /** Whether it does its verbs, and so as patient as they are; cheap where all is well. Never throws. */
  health(): Promise<KeyStoreHealth>;

  close(): Promise<void>;
}

export interface KeyStoreHealth {
  readonly ready: boolean;
  /** For people; empty when ready. */
  readonly detail: string;
}

/**
 * Optional power of a driver: it can attest to its whole content, so that a rollback, swap or splice behind our back
 * shows at start.
 */
export interface Attesting {
  /**
   * `generation` counts this store's changes, `digest` (lower-case hex, SHA-256) covers the name and content of every
   * record except those named in `without`. Computed over authenticated content: equal digests mean equal content.
   */
  attest(without?: readonly RecordName[]): Promise<{ readonly generation: number; readonly digest: string }>;
}

/** Optional power of a driver: what it holds can be carried elsewhere, still encrypted. */
export interface Portable {
  /** The octets of the store as of its last durable change; opened under its master key alone. */
  snapshot(): Promise<Buffer>;
}

export function isPortable(driver: object): driver is Portable {
  return 'snapshot' in driver;
}

/** Optional power of a driver: it can tell, without writing, what its login may not do. */
export interface Permitting {
  /**
   * Each in the words that its policy is written in, e.g. `"create" on secret/data/…`. Empty when nothing lacks; null
   * when the store does not tell.
   */
  lacking(): Promise<readonly string[] | null>;
}

/** Optional power of a driver: what it destroys is gone for us, and others can still bring it back for a while. */
export interface Lingering {
  /** For people: who can, and how long. Null when what is destroyed is gone for good. */
  readonly lingers: string | null;
}

export function isLingering(driver: object): driver is Lingering {
  return 'lingers' in driver;
}

export function isPermitting(driver: object): driver is Permitting {
  return 'lacking' in driver;
}

export function isAttesting(driver: object): driver is Attesting {
  return 'attest' in driver;
}
