import { loadConfig } from '../../../compose/config.ts';
import { checkRules } from '../../../compose/upkeep/check-rules.ts';
import type { Context } from '../../context.ts';

export default async function policyCheck({ home, terminal }: Context): Promise<void> {
  const config = await loadConfig(home);
  const { digest, profiles } = await checkRules(config);
  const { accessPolicies: access, partnerProfiles: partners } = config;
  terminal.result({ digest, profiles, access, partners }, [
    `The access policy in ${access} and the partner profiles in ${partners} load, and every expectation holds.`,
    `digest ${digest}, ${profiles.partners} partner profiles with ${profiles.environments} environments`,
  ]);
}
