import { parseEntry } from '../../audit/recorded.ts';
import type { Ledger } from '../../ledger/ledger.ts';

/** What the ledger says that servers decide by, as digests; null where it says nothing. */
export interface RulesInForce {
  readonly policy: string | null;
  /** Of the partner profiles. The entry alone has it: that of a program of before names none. */
  readonly profiles: string | null;
}

export async function rulesInForce(ledger: Ledger): Promise<RulesInForce> {
  const [row] = await ledger.find('policies', { id: 'current' });
  const [newest] = await ledger.entries({ kind: 'policy.loaded', descending: true, limit: 1, few: true });
  const profiles = newest === undefined ? null : parseEntry(newest.json).data['profiles'];
  return { policy: row?.digest ?? null, profiles: typeof profiles === 'string' ? profiles : null };
}

/** As they are loaded here. */
export interface LoadedRules {
  readonly policy: { readonly digest: string };
  readonly profiles: { readonly digest: string };
}

/** Whether these are they; what the ledger says nothing of is. */
export function isInForce({ policy, profiles }: LoadedRules, inForce: RulesInForce): boolean {
  return isSame(policy.digest, inForce.policy) && isSame(profiles.digest, inForce.profiles);
}

function isSame(digest: string, inForce: string | null): boolean {
  return inForce === null || inForce === digest;
}
