import type { Clock } from '../../core/clock.ts';
import type { KeyStore } from '../../keystore/keystore.ts';
import type { Write } from '../../ledger/change.ts';
import type { Ledger } from '../../ledger/ledger.ts';

/** Where an authority rests: its key in a key store, all else in the ledger. */
export interface AuthorityHome {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly stores: ReadonlyMap<string, KeyStore>;
  /** Name of the store that takes a new key; one that is there stays where it is. */
  readonly store: string;
  /**
   * Runs an effect on that store in turn with all others on it, over all servers of the ledger. What it commits through
   * the ledger that it is given counts only while the turn is its own.
   */
  readonly inTurn: <T>(store: string, effect: (own: Ledger) => Promise<T>) => Promise<T>;
  /** Writes that make known to the ledger what the store holds after the effect; to be committed within the turn. */
  readonly attested: (store: string) => Promise<readonly Write[]>;
}

export interface LocalIssuerOptions {
  /** As configuration calls it; it names key and rows for ever. */
  readonly name: string;
  readonly home: AuthorityHome;
  /** Of the authority, once, when it is made. Default: `Keyturn CA NAME`. */
  readonly commonName?: string;
  /** Longest life of a certificate, in seconds. Default: 90 days. */
  readonly maximumSeconds?: number;
  /** How long a revocation list holds, in seconds; a new one is signed at half of it. Default: 1 day. */
  readonly listSeconds?: number;
  /** Where the revocation list will be found, for the certificates to say. Default: they don't. */
  readonly listUrl?: string;
}

/** The same with nothing left open. */
export interface LocalSettings {
  readonly name: string;
  readonly commonName: string;
  readonly maximumSeconds: number;
  readonly listSeconds: number;
  readonly listUrl: string | null;
}

const DAY_SECONDS = 86_400;

export function localSettings(options: LocalIssuerOptions): LocalSettings {
  return {
    name: options.name,
    commonName: options.commonName ?? `Keyturn CA ${options.name}`,
    maximumSeconds: options.maximumSeconds ?? 90 * DAY_SECONDS,
    listSeconds: options.listSeconds ?? DAY_SECONDS,
    listUrl: options.listUrl ?? null,
  };
}
