import type { Certificate } from '../x509/certificate.ts';
import type { Lifecycle } from './lifecycle/lifecycle.ts';

/** What is known of a partner in one environment: read from its profile, files included, and judged at load. */
export interface Environment {
  readonly partner: string;
  readonly name: string;
  readonly endpoints: readonly Endpoint[];
  readonly issuerChain: IssuerChain;
  readonly serverTrust: ServerTrust;
  readonly refusals: readonly Refusal[];
  /** Names of the companion secrets that belong to a credential here. */
  readonly companions: readonly string[];
  readonly lifecycle: Lifecycle;
}

export interface Endpoint {
  /** As written in the profile. */
  readonly url: string;
  /** `host:port`, lower-case ASCII. */
  readonly host: string;
  /** Whether the partner asks for a client certificate there. */
  readonly mtls: boolean;
}

/** Who issues our certificates here: it judges them, and is sent after them. */
export type IssuerChain =
  /** Comes with each upload; `sha256` are the roots' fingerprints that are allowed, null for any. */
  | { readonly source: 'upload'; readonly sha256: readonly string[] | null }
  | { readonly source: 'file'; readonly file: string; readonly certificates: readonly Certificate[] };

/** Whom we believe to be the partner's server. Rotates on a clock of its own. */
export type ServerTrust =
  | { readonly mode: 'system' }
  | { readonly mode: 'pinned' | 'both'; readonly source: 'issuer-chain' }
  | { readonly mode: 'pinned' | 'both'; readonly file: string; readonly certificates: readonly Certificate[] };

/** How this partner shows that it does not accept a certificate. */
export type Refusal =
  | { readonly kind: 'alert' }
  | { readonly kind: 'close' }
  | { readonly kind: 'status'; readonly status: number };

/**
 * The roots for TLS toward this environment's servers: mode, and PEM to pin, empty for `system`.
 * `chain` is the issuer chain of the credential's version, PEM, for trust that is taken from there.
 */
export function serverTrustOf(
  { serverTrust }: Environment,
  chain: string,
): { readonly mode: ServerTrust['mode']; readonly pem: string } {
  if (serverTrust.mode === 'system') return { mode: 'system', pem: '' };
  const pem = 'source' in serverTrust ? chain : serverTrust.certificates.map((one) => one.pem).join('');
  return { mode: serverTrust.mode, pem };
}
