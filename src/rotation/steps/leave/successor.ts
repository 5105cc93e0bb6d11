import { noHold } from '../../../credential/hold/checks.ts';
import { versionSubject } from '../../../credential/hold/hold-switch.ts';
import { findVersion } from '../../../credential/version/promote.ts';
import type { Check } from '../../../ledger/change.ts';
import type { StepContext } from '../../workflow/step.ts';
import { isHeld } from '../swap/promote.ts';

/** How the version stands that took the place of the one that leaves. */
export interface Successor {
  readonly fate: 'usable' | 'compromised' | 'frozen';
  /** That it is so still, at the commit. */
  readonly checks: readonly Check[];
}

/**
 * The old version is all that can be gone back to, so it is not retired for good while its successor can't be used. Where
 * one certificate may live it is dead anyway, and one that is replaced since it was compromised is nothing to go back to.
 */
export async function successorOf({ desk, row, facts }: StepContext): Promise<Successor> {
  const backwards = facts.undone !== undefined;
  if (backwards || row.version === null || facts.way.live === 1 || row.reason === 'compromised') {
    return { fate: 'usable', checks: [] };
  }
  const fresh = await findVersion(desk, row.credential, row.version);
  const { credential, version, state } = fresh;
  if (state === 'compromised') return { fate: 'compromised', checks: [] };
  if (await isHeld(desk, fresh)) return { fate: 'frozen', checks: [] };
  return {
    fate: 'usable',
    checks: [
      { rule: 'version-state', table: 'versions', some: { credential, version, state } },
      noHold('version', versionSubject(credential, version)),
    ],
  };
}
