import type { Receipt } from '../../audit/receipt.ts';
import type { JsonObject } from '../../core/canonical-json.ts';
import type { LeaseRow, VersionRow } from '../../ledger/tables.ts';
import type { SealedAnswer } from '../../sealed/envelope.ts';

/** A lease as granted or renewed; the server adds the partner's terms (endpoints, trust, refusals). */
export interface Lease {
  readonly row: LeaseRow;
  readonly version: VersionRow;
  readonly secondsLeft: number;
  /** Null when a renewal changed nothing that the client does not already hold. */
  readonly sealed: SealedAnswer | null;
  readonly receipt: Receipt;
}

/** How long it was granted or renewed for, whole seconds, rounded up. */
export function grantedSeconds({ expires_at, renewed_at, granted_at }: LeaseRow): number {
  return Math.ceil((expires_at - (renewed_at ?? granted_at)) / 1000);
}

/** What is left of it; never more than it was granted for, should the clock have stepped back since. */
export function secondsLeftOf(row: LeaseRow, now: number): number {
  return Math.max(0, Math.min(Math.floor((row.expires_at - now) / 1000), grantedSeconds(row)));
}

export interface LeaseWish {
  /** Raw X25519 public key of the client process, 32 octets. */
  readonly hpkePublicKey: Buffer;
  /** Largest tree size that the client has verified; 0 for none. */
  readonly seen: number;
  readonly ttlSeconds?: number;
  /** Of a grant: the caller's lease that it takes the place of. */
  readonly replaces?: string;
}

/** What a client process says it used since its last report. */
export interface ReportedUse {
  readonly version: number;
  readonly host: string;
  readonly requests: number;
  /** Of them, those that the certificate may have failed; absent for none. */
  readonly failures?: number | undefined;
  /** Whole seconds between the first of these and the report. */
  readonly failedAgo?: number | undefined;
}

/** What a client process says at a renewal. */
export interface Report {
  /** Its number under the lease, so that one which comes again, alone or with more, counts once; null where there is none. */
  readonly report: number | null;
  readonly uses: readonly ReportedUse[];
  /** Versions in use under the lease; null when it does not say. */
  readonly inUse: readonly number[] | null;
}

/** As an entry holds it. */
export function usesOf(uses: readonly ReportedUse[]): JsonObject[] {
  return uses.map(({ version, host, requests, failures = 0, failedAgo = 0 }) => ({
    version,
    host,
    requests,
    ...(failures === 0 ? {} : { failures, failedAgo }),
  }));
}
