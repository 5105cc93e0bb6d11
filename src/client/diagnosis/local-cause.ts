import type { X509Certificate } from 'node:crypto';

/** What this side presents, looked at when a call has failed. */
export interface Presented {
  readonly version: number;
  readonly leaf: X509Certificate;
  readonly chain: readonly X509Certificate[];
}

/** A reason on our side, found without asking anybody. */
export interface LocalCause {
  readonly cause:
    | 'certificate_expired'
    | 'certificate_not_yet_valid'
    | 'certificate_not_for_clients'
    | 'chain_untrusted';
  readonly message: string;
  readonly fix: string;
}

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const ANY_USAGE = '2.5.29.37.0';

/** Why any partner would refuse this certificate; null when nothing is wrong with it. `now`: milliseconds since the epoch. */
export function localCause({ leaf, chain }: Presented, now: number): LocalCause | null {
  return validity(leaf, now) ?? usage(leaf) ?? linkage(leaf, chain);
}

function validity(leaf: X509Certificate, now: number): LocalCause | null {
  // RFC 5280 section 4.1.2.5: both ends belong to the period.
  if (now > leaf.validToDate.getTime()) {
    return {
      cause: 'certificate_expired',
      message: `our certificate expired on ${leaf.validToDate.toISOString()}`,
      fix: 'Import and promote a new certificate, or correct the clock of this machine.',
    };
  }
  if (now >= leaf.validFromDate.getTime()) return null;
  return {
    cause: 'certificate_not_yet_valid',
    message: `our certificate is valid only from ${leaf.validFromDate.toISOString()}`,
    fix: 'Wait until then, or correct the clock of this machine.',
  };
}

/** RFC 5280 section 4.2.1.12: without the extension every purpose is allowed. */
function usage(leaf: X509Certificate): LocalCause | null {
  const usages = leaf.keyUsage as readonly string[] | undefined;
  if (usages === undefined || usages.includes(CLIENT_AUTH) || usages.includes(ANY_USAGE)) return null;
  return {
    cause: 'certificate_not_for_clients',
    message: 'our certificate is not meant for TLS clients (no clientAuth)',
    fix: 'Ask the partner for a certificate with the extended key usage clientAuth.',
  };
}

/** Names and signatures from the leaf upwards, in the order that is sent. */
function linkage(leaf: X509Certificate, chain: readonly X509Certificate[]): LocalCause | null {
  let subject = leaf;
  for (const issuer of chain) {
    if (!subject.checkIssued(issuer) || !subject.verify(issuer.publicKey)) {
      return {
        cause: 'chain_untrusted',
        message: 'the issuer chain that we send does not lead from our certificate',
        fix: 'Import the chain that belongs to this certificate.',
      };
    }
    subject = issuer;
  }
  return null;
}
