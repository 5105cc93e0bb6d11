import { loadConfig } from '../../../compose/config.ts';
import { checkRules, unknownIssuerText } from '../../../compose/upkeep/check-rules.ts';
import type { Context } from '../../context.ts';
import { EXIT } from '../../terminal/exit.ts';

/** Exit code 10 where a profile names an issuer that there is not. */
export default async function policyCheck({ home, terminal }: Context): Promise<number> {
  const config = await loadConfig(home);
  const { digest, profiles, unknownIssuers } = await checkRules(config);
  const { accessPolicies: access, partnerProfiles: partners } = config;
  terminal.result({ digest, profiles, access, partners, unknownIssuers }, [
    `The access policy in ${access} and the partner profiles in ${partners} load, and every expectation holds.`,
    `digest ${digest}, ${profiles.partners} partner profiles with ${profiles.environments} environments`,
  ]);
  for (const unknown of unknownIssuers) {
    terminal.warn(`${unknownIssuerText(unknown)}. Add it under issuers, or correct the profile.`);
  }
  return unknownIssuers.length === 0 ? 0 : EXIT.attention;
}
