import type { Receipt } from '../audit/receipt.ts';
import type { SealedAnswer } from '../sealed/envelope.ts';

export type { SealedAnswer } from '../sealed/envelope.ts';

/**
 * The lease API as the client sees it (plain types: this folder may use nothing but node built-ins).
 * The server's zod schemas are checked against these at compile time.
 */

/** What every request for a lease says. */
export interface LeaseRequest {
  /** The client process's HPKE public key: raw X25519, 32 octets, base64url without padding. */
  readonly hpkePublicKey: string;
  /** Largest tree size the client has verified; 0 for none. */
  readonly seen: number;
  /** Generation of the log that it was seen in; absent for the first, so that an older server is asked as before. */
  readonly generation?: number;
  /** Wanted life in seconds; the server may give less. */
  readonly ttlSeconds?: number;
}

/** Body of `POST /v1/credentials/{name}/leases`. */
export interface GrantRequest extends LeaseRequest {
  /** The lease that this process had and goes on without: it ends with the grant. Absent for none. */
  readonly replaces?: string;
}

/** Body of `POST /v1/leases/{id}/renew`. */
export interface RenewRequest extends LeaseRequest {
  /** What this process used since its last report. */
  readonly uses: readonly Use[];
  /** Number of this report under the lease. One whose answer was lost comes again under its own, with what came later. */
  readonly report: number;
  /** Versions in use under this lease: the one that is held, and those before it that requests still run on. */
  readonly inUse: readonly number[];
}

export interface Use {
  readonly version: number;
  /** Host and port of the partner's endpoint. */
  readonly host: string;
  readonly requests: number;
  /**
   * Requests that the certificate may have failed: refused, or ended without an answer on a new connection. Absent for
   * none.
   */
  readonly failures?: number;
  /** Whole seconds since the first of these failures. */
  readonly failedAgo?: number;
}

/** Answer of grant and renew. */
export interface LeaseAnswer {
  readonly lease: string;
  readonly credential: string;
  readonly version: number;
  /** SHA-256 of the SubjectPublicKeyInfo, lower-case hex. */
  readonly spki: string;
  /** Whole seconds, counted from when the server answered; the client counts from before it asked. */
  readonly secondsLeft: number;
  /** RFC 3339: when the lease ends by the server's clock. For people and for the sealed answer's associated data. */
  readonly expiresAt: string;
  /** PEM. */
  readonly certificate: string;
  /** PEM, issuer chain sent after the leaf. */
  readonly chain: string;
  readonly trust: ServerTrust;
  /** Hosts (`host:port`, lower-case ASCII) that this credential may call. */
  readonly endpoints: readonly string[];
  /** What a refusal looks like at this partner. */
  readonly refusals: readonly Refusal[];
  /** The secret part; null when a renewal changed nothing the client does not already hold. */
  readonly sealed: SealedAnswer | null;
  readonly receipt: Receipt;
}

/** `pem` holds the pinned roots; empty for `system`. */
export interface ServerTrust {
  readonly mode: 'pinned' | 'system' | 'both';
  readonly pem: string;
}

export type Refusal =
  | { readonly kind: 'alert' }
  | { readonly kind: 'close' }
  | { readonly kind: 'status'; readonly status: number };

/** Every error answer of the server (RFC 9457 section 3, with extension members). */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** Stable code, see core/errors.ts. */
  readonly code: string;
  readonly fix?: string;
  readonly request: string;
}
