import { loadPolicy } from '../../access/policy-files/load.ts';
import { loadConfig } from '../../compose/config.ts';
import { loadProfiles } from '../../partner/profile.ts';
import type { Context } from '../context.ts';

export default async function policyCheck({ home, terminal }: Context): Promise<void> {
  const { accessPolicies, partnerProfiles } = await loadConfig(home);
  const policy = await loadPolicy(accessPolicies);
  await loadProfiles(partnerProfiles);
  terminal.result({ digest: policy.digest, access: accessPolicies, partners: partnerProfiles }, [
    `The access policy in ${accessPolicies} and the partner profiles in ${partnerProfiles} load, and every expectation holds.`,
    `digest ${policy.digest}`,
  ]);
}
