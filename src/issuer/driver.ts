import type { Certificate } from '../x509/certificate.ts';
import type { CertificateRequest } from '../x509/request/request.ts';
import type { IssuerCapabilities } from './capabilities.ts';
import type { RevocationReason } from './reason.ts';

/**
 * PORT. What an adapter of an issuer implements; users hold an `Issuer` (issuer.ts), which validates, times and judges.
 *
 * Errors are KeyturnErrors: `issuer_refused` when the issuer said no, `issuer_unavailable` otherwise. Without the fact
 * `certain: true` the latter is ambiguous: a certificate may have been issued, or revoked. A driver never repeats an
 * ambiguous `issue` by itself, unless its target makes the second asking one with the first. Nothing secret stands in
 * an error.
 */
export interface IssuerDriver {
  /** Kind and place for people, e.g. `vault-pki https://vault.example:8200 pki/sign/clients`. No secret. */
  readonly description: string;
  readonly can: IssuerCapabilities;

  /** Asks once. When `signal` fires nobody waits for the answer any more. */
  issue(request: IssueRequest, signal: AbortSignal): Promise<DriverIssued | Awaited>;

  /** Every certificate that it knows to have issued for this key, revoked or not; null when it can't say. */
  find(spki: string, signal: AbortSignal): Promise<readonly FoundCertificate[] | null>;

  /** Resolves too when it was revoked before. */
  revoke(request: RevokeRequest, signal: AbortSignal): Promise<Revoked | Asked>;

  /** Cheap; asks the issuer whether it would serve us. Never throws. */
  health(signal: AbortSignal): Promise<IssuerHealth>;

  close(): Promise<void>;
}

export interface IssueRequest {
  /**
   * The caller's name for this issuance, the same when it is asked again: 1 to 64 letters, digits, `_` and `-`.
   * See `sameAnswerSeconds`.
   */
  readonly id: string;
  /**
   * When this issuance was first asked for, milliseconds since the epoch; for `Issuer.resume` alone. Default: unknown.
   */
  readonly askedAt?: number;
  /** `lean/sandbox`: for the issuer's own records, where it keeps any. */
  readonly credential: string;
  /** Null where the partner makes the key. */
  readonly request: CertificateRequest | null;
  /** Longest life that is wanted; null for the issuer's own choice. */
  readonly lifetimeSeconds: number | null;
  /** Issuers that are trusted to end the chain; null when only what comes can tell. */
  readonly issuerChain: readonly Certificate[] | null;
  /** What the partner's profile says of getting a certificate by hand. */
  readonly byHand: ByHand;
}

/** From a partner's profile, for an issuer that is a person. */
export interface ByHand {
  /** For people. */
  readonly partner: string;
  /** One step a line. */
  readonly steps: readonly string[];
  /** Whom to write to; null when the profile names nobody. */
  readonly contact: Contact | null;
}

export interface Contact {
  readonly role: string;
  readonly name?: string | undefined;
  readonly email?: string | undefined;
  readonly url?: string | undefined;
}

/** As the issuer gave it, unjudged. PEM, public. */
export interface DriverIssued {
  readonly kind: 'issued';
  readonly certificate: string;
  /** Certificates of issuers, in any order; may be empty. */
  readonly chain: string;
}

/** A person has to act; nothing was called. */
export interface Awaited {
  readonly kind: 'awaited';
  /** What that person does, one step a line. */
  readonly steps: readonly string[];
  /** PEM of our request, to hand over; null where the partner makes the key. */
  readonly request: string | null;
  readonly contact: Contact | null;
}

export interface FoundCertificate {
  readonly certificate: Certificate;
  /** PEM of issuers as the issuer gives them; may be empty. */
  readonly chain: string;
  readonly revoked: boolean;
}

export interface RevokeRequest {
  /** PEM of the certificate; serial and fingerprint are read from it. */
  readonly certificate: string;
  readonly reason: RevocationReason;
  readonly byHand: ByHand;
}

export interface Revoked {
  readonly kind: 'revoked';
  /** Whether those who look at the issuer's own records see the reason. */
  readonly reasonKept: boolean;
}

/** A person has to ask for it; nothing was called. */
export interface Asked {
  readonly kind: 'asked';
  readonly steps: readonly string[];
  readonly contact: Contact | null;
}

export interface IssuerHealth {
  readonly ready: boolean;
  /** For people; empty when ready. */
  readonly detail: string;
}

/** Optional power of a driver: it is an authority whose certificate and revocation list are to be had here. */
export interface Publishing {
  /** PEM of its own certificate: the trust of whoever accepts what it issues. */
  authority(): Promise<string>;
  /** The newest revocation list, signed anew in time. */
  revocationList(): Promise<RevocationList>;
}

export interface RevocationList {
  /** `X509 CRL`. */
  readonly pem: string;
  readonly number: number;
  /** Milliseconds since the epoch. */
  readonly from: number;
  readonly until: number;
}

export function isPublishing(driver: object): driver is Publishing {
  return 'revocationList' in driver;
}
