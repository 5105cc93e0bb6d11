import { loadPolicy } from '../../access/policy-files/load.ts';
import { loadProfiles, type ProfileCount, type Profiles } from '../../partner/profile.ts';
import type { Config } from '../config.ts';
import { BY_HAND } from '../issuers/settings.ts';

export interface CheckedRules {
  /** Of the access policy. */
  readonly digest: string;
  readonly profiles: ProfileCount;
  /** Where a profile names an issuer that the configuration does not: a server loads it, and no rotation can begin. */
  readonly unknownIssuers: readonly UnknownIssuer[];
}

export interface UnknownIssuer {
  /** `partner/environment`. */
  readonly environment: string;
  readonly issuer: string;
}

/**
 * Loads access policy and partner profiles as a server would, expectations included, and keeps nothing.
 * @throws KeyturnError `policy_invalid`, `profile_invalid`.
 */
export async function checkRules(config: Config): Promise<CheckedRules> {
  const { digest } = await loadPolicy(config.accessPolicies);
  const profiles = await loadProfiles(config.partnerProfiles);
  return { digest, profiles: profiles.count(), unknownIssuers: unknownIssuers(config, profiles) };
}

function unknownIssuers(config: Config, profiles: Profiles): UnknownIssuer[] {
  const known = new Set([BY_HAND, ...config.issuers.map(({ name }) => name)]);
  const all = profiles.partners.flatMap((partner) =>
    [...profiles.profile(partner).environments].map(([name, { lifecycle }]) => ({
      environment: `${partner}/${name}`,
      issuer: lifecycle.issuance.issuer,
    })),
  );
  return all.filter(({ issuer }) => !known.has(issuer));
}

/** For people. */
export function unknownIssuerText({ environment, issuer }: UnknownIssuer): string {
  return `${environment} has its certificates from the issuer ${issuer}, which keyturn.yaml does not name: no rotation of it can begin`;
}
