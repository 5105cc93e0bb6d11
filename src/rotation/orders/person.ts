import { KeyturnError } from '../../core/errors.ts';
import { denial } from '../../credential/authorise.ts';
import type { Caller } from '../../credential/caller.ts';
import type { Desk } from '../../credential/desk.ts';

/**
 * For what somebody has to answer for: a service that may rotate may not say it.
 * @param what ends the sentence "Only a person …".
 * @throws KeyturnError `permission_denied`, after the denial is recorded.
 */
export async function refuseServices(desk: Desk, caller: Caller, credential: string, what: string): Promise<void> {
  if (caller.principal.kind === 'person') return;
  await desk.ledger.commit({ entry: denial(caller, 'credential:rotate', credential, 'person-only') });
  throw new KeyturnError('permission_denied', `Only a person ${what}.`, {
    fix: 'Have a person do it.',
    facts: { rule: 'person-only' },
  });
}
