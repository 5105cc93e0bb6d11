/** One request that reached the API with a certificate the partner accepted. */
export interface Seen {
  /** Lower-case hex without leading zeros. */
  readonly serial: string;
  /** SHA-256 of the SubjectPublicKeyInfo, lower-case hex. */
  readonly spki: string;
  readonly path: string;
  /** Milliseconds since the Unix epoch. */
  readonly at: number;
  /** Whether the TLS session was resumed. */
  readonly resumed: boolean;
  /** Numbers the connections of one partner, from 1. */
  readonly socketId: number;
}

/** One connection or request that was turned away. */
export interface Refused {
  /** Null when no certificate was sent. */
  readonly serial: string | null;
  /** `CERTIFICATE_REQUIRED`, or the verification error as Node names it, e.g. `CERT_REVOKED`. */
  readonly reason: string;
  readonly at: number;
  readonly socketId: number;
}

/** Keeps the newest `limit` records or a few more, never twice as many. */
export class Recent<T> {
  readonly #limit: number;
  #records: T[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(record: T): void {
    this.#records.push(record);
    if (this.#records.length >= 2 * this.#limit) this.#records = this.#records.slice(-this.#limit);
  }

  /** Newest last. */
  all(): readonly T[] {
    return this.#records.slice(-this.#limit);
  }

  clear(): void {
    this.#records = [];
  }
}
