import type { Decision } from '../access/decision.ts';
import type { Permission } from '../access/permission.ts';
import type { EntryDraft } from '../audit/entry.ts';
import type { JsonObject } from '../core/canonical-json.ts';
import { KeyturnError } from '../core/errors.ts';
import type { Check } from '../ledger/change.ts';
import { remembered } from '../ledger/remembered.ts';
import type { Caller } from './caller.ts';
import type { Desk } from './desk.ts';
import { noHold } from './hold/checks.ts';
import { refused } from './refusal.ts';

/** A decision, and the checks that make it hold at the commit. */
export interface Authority {
  readonly decision: Decision;
  readonly checks: readonly Check[];
}

/**
 * Decides, and records a denial before it throws: authorise → record → act.
 * @throws KeyturnError `permission_denied`, naming the missing permission only to a principal that holds some
 * grant on the credential, so that a stranger cannot probe names.
 */
export async function authorise(
  desk: Desk,
  caller: Caller,
  permission: Permission,
  credential: string | null,
): Promise<Authority> {
  const policy = desk.policy();
  const decision = policy.decide({ principal: caller.principal, permission, credential, now: desk.clock.now() });
  if (!decision.allow) {
    await desk.ledger.commit({ entry: denial(caller, permission, credential, decision.rule) });
    throw denied(desk, caller, permission, credential, decision);
  }
  const isFrozen = permission !== 'hold:lift' && desk.holds.isHeld('principal', caller.principal.id);
  if (isFrozen) await refuseFrozen(desk, caller, permission, credential);
  const checks = standingChecks(caller, policy.digest, decision.expiresAt);
  // A frozen principal changes nothing and gets nothing. Lifting is left to a frozen person: else whoever may freeze could make every freeze last for ever.
  return {
    decision,
    checks: permission === 'hold:lift' ? checks : [...checks, noHold('principal', caller.principal.id)],
  };
}

// One object for equal checks, so that a batch asks once (see the ledger's port).
const tokenUnrevoked = remembered((id: string): Check => {
  return { rule: 'token-revoked', table: 'tokens', some: { id, revoked_at: null } };
});
const policyUnchanged = remembered((digest: string): Check => {
  return { rule: 'policy-changed', table: 'policies', some: { id: 'current', digest } };
});

const standsUntil = remembered((rule: string, notAfter: number): Check => ({ rule, notAfter }));

/** What must still be true at the commit for a decision of `policyDigest` in favour of `caller` to count. */
export function standingChecks(caller: Caller, policyDigest: string, grantEndsAt: number | null): Check[] {
  return [
    tokenUnrevoked(caller.token.id),
    standsUntil('token-expired', caller.token.expiresAt),
    policyUnchanged(policyDigest),
    ...(grantEndsAt === null ? [] : [standsUntil('binding-expired', grantEndsAt)]),
  ];
}

/** A frozen principal reads nothing either. @throws KeyturnError `held`, after the denial is recorded. */
export async function refuseFrozen(
  desk: Desk,
  caller: Caller,
  permission: Permission,
  credential: string | null,
): Promise<void> {
  if (!desk.holds.isHeld('principal', caller.principal.id)) return;
  await desk.ledger.commit({ entry: denial(caller, permission, credential, 'hold-on-principal') });
  throw refused('hold-on-principal');
}

/** The entry of a denial; `rule` names what decided. */
export function denial(
  caller: Caller,
  permission: Permission,
  credential: string | null,
  rule: string,
  facts: JsonObject = {},
): EntryDraft {
  return {
    kind: 'access.denied',
    actor: caller.principal.id,
    request: caller.request,
    ...(credential === null ? {} : { credential }),
    data: { ...facts, permission, rule, token: caller.token.id, host: caller.host },
  };
}

function denied(
  desk: Desk,
  caller: Caller,
  permission: Permission,
  credential: string | null,
  decision: Decision,
): KeyturnError {
  const mayKnow =
    credential === null ||
    desk
      .policy()
      .decide({ principal: caller.principal, permission: 'credential:list', credential, now: desk.clock.now() }).allow;
  if (!mayKnow) {
    return new KeyturnError('permission_denied', `${caller.principal.id} may not do this to ${credential}.`, {
      fix: 'Ask whoever keeps the access policy; this denial is on the audit log.',
    });
  }
  const where = credential === null ? '' : ` on ${credential}`;
  return new KeyturnError(
    'permission_denied',
    `${caller.principal.id} lacks ${permission}${where}: ${decision.reason}`,
    {
      fix: `Have a binding added that grants ${permission}${where}, then run "keyturn can-i --explain" to check.`,
      facts: { permission, rule: decision.rule },
    },
  );
}
