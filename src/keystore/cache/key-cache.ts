import type { Clock } from '../../core/clock.ts';
import { SecretBytes } from '../../core/secret-bytes.ts';
import type { KeyStore } from '../keystore.ts';
import type { RecordName } from '../record-name.ts';
import { KeptOctets } from './kept-octets.ts';
import { ProcessSeal, type SealedOctets } from './sealed-octets.ts';

export interface KeyCacheOptions {
  /** Names of the stores whose records are kept. None, and every read goes to its store. */
  readonly stores: ReadonlySet<string>;
  /** How long a record is kept, from before it was asked for. */
  readonly seconds: number;
  readonly clock: Clock;
  /** Default 1,000. */
  readonly maxRecords?: number;
  /** Of all records together. Default 4 MiB. */
  readonly maxOctets?: number;
  /** Told of each read of a store whose records are kept. Must not throw. */
  readonly observe?: (result: 'hit' | 'miss') => void;
}

/** One record, named by its store. */
export interface Wanted {
  readonly store: KeyStore;
  readonly record: RecordName;
}

interface Kept {
  readonly sealed: SealedOctets;
  readonly until: number;
  /** Of one record, or of several that are kept as one. */
  readonly octets: KeptOctets;
}

/**
 * Records of key stores, for seconds and encrypted, so that not every lease waits for the store. It decides
 * nothing: whether a key may leave is checked at the commit, as if the store had been asked. It narrows what a copy of
 * this process's memory shows to those who have not the key beside it; it does not stop somebody who reads memory.
 *
 * Reads of one record at a time share one question to the store. A failure is never kept.
 */
export class KeyCache implements Disposable {
  readonly #options: Required<Omit<KeyCacheOptions, 'observe'>> & Pick<KeyCacheOptions, 'observe'>;
  readonly #seal = new ProcessSeal();
  readonly #kept = new Map<string, Kept>();
  readonly #asking = new Map<string, Promise<SealedOctets>>();
  #octets = 0;
  /** Counts the calls of `clear`: what was asked for before one is not kept after it. */
  #cleared = 0;
  #sweeper: NodeJS.Timeout | undefined;

  constructor(options: KeyCacheOptions) {
    this.#options = { maxRecords: 1_000, maxOctets: 4 * 1024 * 1024, ...options };
  }

  /** As `store.read`: the octets, owned by the caller. */
  async read(store: KeyStore, record: RecordName): Promise<SecretBytes> {
    if (!this.#options.stores.has(store.name)) return store.read(record);
    const name = nameOf({ store, record });
    const kept = this.#fresh(name);
    this.#options.observe?.(kept === undefined ? 'miss' : 'hit');
    return this.#seal.open(kept?.sealed ?? (await this.#ask(store, record, name)), name);
  }

  /**
   * One record that is kept, or what `keepTogether` was given of the same records in the same order; null when it is not
   * kept. It can be opened whenever it is needed, also when it is kept no longer meanwhile.
   */
  kept(wanted: readonly Wanted[]): KeptOctets | null {
    const kept = this.#fresh(nameOfAll(wanted));
    if (kept === undefined) return null;
    for (const _ of wanted) this.#options.observe?.('hit');
    return kept.octets;
  }

  /**
   * Keeps what was just read once more as one, for records that are lent together: to open it costs as much as to open
   * one of them. For as long as each of them is kept by itself, and not at all when one is not. The caller keeps and
   * wipes `octets`.
   */
  keepTogether(wanted: readonly Wanted[], octets: readonly SecretBytes[]): void {
    const kept = wanted.map((each) => this.#fresh(nameOf(each)));
    const until = Math.min(...kept.map((each) => each?.until ?? 0));
    if (wanted.length < 2 || kept.includes(undefined)) return;
    using whole = SecretBytes.own(Buffer.concat(octets.map(({ bytes }) => bytes)));
    const name = nameOfAll(wanted);
    this.#keep(
      name,
      this.#sealed(
        whole,
        name,
        octets.map(({ length }) => length),
      ),
      until,
    );
  }

  /** Nothing is kept any more, nor what is being asked for now. For whenever a version, companion or hold changed. */
  clear(): void {
    this.#cleared += 1;
    this.#kept.clear();
    this.#asking.clear();
    this.#octets = 0;
    clearTimeout(this.#sweeper);
    this.#sweeper = undefined;
  }

  [Symbol.dispose](): void {
    this.clear();
  }

  get size(): number {
    return this.#kept.size;
  }

  #fresh(name: string): Kept | undefined {
    const kept = this.#kept.get(name);
    if (kept === undefined || kept.until > this.#options.clock.monotonic()) return kept;
    this.#drop(name, kept);
    return undefined;
  }

  #ask(store: KeyStore, record: RecordName, name: string): Promise<SealedOctets> {
    const known = this.#asking.get(name);
    if (known !== undefined) return known;
    const asked = this.#fetch(store, record, name).finally(() => {
      if (this.#asking.get(name) === asked) this.#asking.delete(name);
    });
    this.#asking.set(name, asked);
    return asked;
  }

  async #fetch(store: KeyStore, record: RecordName, name: string): Promise<SealedOctets> {
    const [until, cleared] = [this.#options.clock.monotonic() + this.#options.seconds * 1_000, this.#cleared];
    using octets = await store.read(record);
    const sealed = this.#sealed(octets, name, [octets.length]);
    if (cleared === this.#cleared) this.#keep(name, sealed, until);
    return sealed.sealed;
  }

  #sealed(octets: SecretBytes, name: string, lengths: readonly number[]): Omit<Kept, 'until'> {
    const sealed = this.#seal.seal(octets, name);
    return { sealed, octets: new KeptOctets(() => this.#seal.open(sealed, name), lengths) };
  }

  #keep(name: string, sealed: Omit<Kept, 'until'>, until: number): void {
    const before = this.#kept.get(name);
    if (before !== undefined) this.#drop(name, before);
    this.#kept.set(name, { ...sealed, until });
    this.#octets += sealed.sealed.ciphertext.length;
    const { maxRecords, maxOctets } = this.#options;
    for (const [oldest, kept] of this.#kept) {
      if (this.#kept.size <= maxRecords && this.#octets <= maxOctets) break;
      this.#drop(oldest, kept);
    }
    this.#sweeper ??= setTimeout(() => this.#sweep(), this.#options.seconds * 1_000).unref();
  }

  /** What nobody asks for any more goes as well. */
  #sweep(): void {
    this.#sweeper = undefined;
    const now = this.#options.clock.monotonic();
    for (const [name, kept] of this.#kept) if (kept.until <= now) this.#drop(name, kept);
    if (this.#kept.size > 0) {
      this.#sweeper = setTimeout(() => this.#sweep(), this.#options.seconds * 1_000).unref();
    }
  }

  #drop(name: string, { sealed }: Kept): void {
    this.#kept.delete(name);
    this.#octets -= sealed.ciphertext.length;
  }
}

function nameOf({ store, record }: Wanted): string {
  return `${store.name} ${record}`;
}

/** Names of stores and records have no line feed, so no one record is called so. */
function nameOfAll(wanted: readonly Wanted[]): string {
  return wanted.map(nameOf).join('\n');
}
