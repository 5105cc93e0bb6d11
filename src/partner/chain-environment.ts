import type { Certificate } from '../x509/certificate.ts';
import type { Environment } from './environment.ts';
import type { Profiles } from './profiles.ts';

/**
 * The environment of this partner that a chain belongs to: the only one whose profile lists one of the chain's
 * certificates, in its own chain file or by fingerprint. Null when the profile can't tell (it lists none of them, or
 * several environments do).
 * @throws KeyturnError `not_found` for an unknown partner.
 */
export function environmentOfChain(profiles: Profiles, partner: string, chain: readonly Certificate[]): string | null {
  const matching = [...profiles.profile(partner).environments.values()].filter((environment) => {
    const known = fingerprintsOf(environment);
    return chain.some(({ fingerprint }) => known.has(fingerprint));
  });
  return matching.length === 1 ? matching[0]!.name : null;
}

function fingerprintsOf({ issuerChain }: Environment): ReadonlySet<string> {
  if (issuerChain.source === 'upload') return new Set(issuerChain.sha256);
  return new Set(issuerChain.certificates.map(({ fingerprint }) => fingerprint));
}
