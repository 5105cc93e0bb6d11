import { isPermission } from '../../access/permission.ts';
import { principalOf } from '../../access/principal.ts';
import { KeyturnError } from '../../core/errors.ts';
import { authorise } from '../../credential/authorise.ts';
import type { Caller } from '../../credential/caller.ts';
import type { Desk } from '../../credential/desk.ts';
import type { Check } from '../../ledger/change.ts';
import type { ProfileCount } from '../../partner/profile.ts';
import { ok, type Route, route } from '../http/route.ts';
import { canIRequest } from '../schemas.ts';

/** Loads the policy files anew: whole or not at all; resolves when the ledger knows the new digest. */
export type ReloadPolicy = (
  caller: Caller,
  checks: readonly Check[],
) => Promise<{ readonly digest: string; readonly profiles: ProfileCount }>;

/** Who am I, may I, and reload. */
export function accessRoutes(desk: Desk, reload: ReloadPolicy): Route[] {
  return [
    route({
      id: 'whoAmI',
      method: 'get',
      path: '/v1/whoami',
      summary: 'Whom your token stands for',
      success: { status: 200, description: 'Principal and token id' },
      problems: ['unauthenticated'],
      handle: async (_input, caller) =>
        ok({
          principal: caller.principal.id,
          token: caller.token.id,
          tokenExpiresAt: new Date(caller.token.expiresAt).toISOString(),
          host: caller.host,
        }),
    }),
    route({
      id: 'canI',
      method: 'post',
      path: '/v1/can-i',
      summary: 'Would this be allowed, and why; about another principal for auditors alone',
      json: canIRequest,
      success: { status: 200, description: 'The verdict and every binding that was considered' },
      problems: ['permission_denied', 'invalid_input'],
      handle: async ({ body }, caller) => ok(await verdict(desk, caller, body)),
    }),
    route({
      id: 'reloadPolicy',
      method: 'post',
      path: '/v1/policy/reload',
      summary: 'Load the access policy and partner profiles anew, whole or not at all',
      success: { status: 200, description: 'Digest of the access policy in force, and how many partner profiles are' },
      problems: ['permission_denied', 'policy_invalid', 'profile_invalid'],
      handle: async (_input, caller) => {
        const { checks } = await authorise(desk, caller, 'policy:reload', null);
        return ok(await reload(caller, checks));
      },
    }),
  ];
}

async function verdict(
  desk: Desk,
  caller: Caller,
  question: { principal?: string | undefined; permission: string; credential?: string | undefined },
) {
  const { permission } = question;
  if (!isPermission(permission)) {
    throw new KeyturnError('invalid_input', 'There is no such permission.', {
      fix: 'See docs/formats/policy.md for the list.',
    });
  }
  const principal = question.principal === undefined ? caller.principal : principalOf(question.principal);
  if (principal.id !== caller.principal.id) await authorise(desk, caller, 'audit:read', null);
  const now = desk.clock.now();
  const mayReadPolicy = desk
    .policy()
    .decide({ principal: caller.principal, permission: 'audit:read', credential: null, now }).allow;
  const request = { principal, permission, credential: question.credential ?? null, now };
  return desk.policy().explain(request, mayReadPolicy ? 'full' : 'own');
}
