import { loadPolicy } from '../../access/policy-files/load.ts';
import { loadProfiles, type ProfileCount } from '../../partner/profile.ts';
import type { Config } from '../config.ts';

/**
 * Loads access policy and partner profiles as a server would, expectations included, and keeps nothing.
 * @throws KeyturnError `policy_invalid`, `profile_invalid`.
 */
export async function checkRules(
  config: Config,
): Promise<{ readonly digest: string; readonly profiles: ProfileCount }> {
  const { digest } = await loadPolicy(config.accessPolicies);
  const profiles = await loadProfiles(config.partnerProfiles);
  return { digest, profiles: profiles.count() };
}
