import { loadPolicy } from '../../access/policy-files/load.ts';
import { loadProfiles } from '../../partner/profile.ts';
import type { Config } from '../config.ts';

/**
 * Loads access policy and partner profiles as a server would, expectations included, and keeps nothing.
 * @throws KeyturnError `policy_invalid`, `profile_invalid`.
 */
export async function checkRules(config: Config): Promise<{ readonly digest: string }> {
  const { digest } = await loadPolicy(config.accessPolicies);
  await loadProfiles(config.partnerProfiles);
  return { digest };
}
