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

export interface LeaseWish {
  /** Raw X25519 public key of the client process, 32 octets. */
  readonly hpkePublicKey: Buffer;
  /** Largest tree size that the client has verified; 0 for none. */
  readonly seen: number;
  readonly ttlSeconds?: number;
}

/** What a client process says it used since its last report. */
export interface ReportedUse {
  readonly version: number;
  readonly host: string;
  readonly requests: number;
}

/** As an entry holds it. */
export function usesOf(uses: readonly ReportedUse[]): JsonObject[] {
  return uses.map(({ version, host, requests }) => ({ version, host, requests }));
}
