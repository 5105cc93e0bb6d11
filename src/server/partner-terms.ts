import { partsOf } from '../access/credential-name.ts';
import type { LeaseAnswer } from '../client/wire.ts';
import type { VersionRow } from '../ledger/tables.ts';
import { hostsOf, type Profiles, serverTrustOf } from '../partner/profile.ts';

/** What a lease says about the partner: whom the client may call, whom it trusts there, what a refusal looks like. */
export function partnerTerms(
  profiles: Profiles,
  version: Pick<VersionRow, 'credential' | 'chain'>,
): Pick<LeaseAnswer, 'endpoints' | 'trust' | 'refusals'> {
  const parts = partsOf(version.credential);
  const environment = profiles.environment(parts.partner, parts.environment);
  return {
    endpoints: hostsOf(environment),
    trust: serverTrustOf(environment, version.chain),
    refusals: environment.refusals,
  };
}
