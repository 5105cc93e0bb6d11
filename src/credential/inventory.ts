import { credentialName } from '../access/credential-name.ts';
import { KeyturnError } from '../core/errors.ts';
import type { CompanionRow, CredentialRow, HoldRow, VersionRow } from '../ledger/tables.ts';
import { authorise, refuseFrozen } from './authorise.ts';
import type { Caller } from './caller.ts';
import type { Desk } from './desk.ts';
import { credentialOf } from './hold/credential-of.ts';

/** Past what one instance holds: a list is whole, never cut in silence. */
const EVERY_ROW = 1_000_000;

/** A credential with all that is public about it. */
export interface CredentialView {
  readonly credential: CredentialRow;
  readonly versions: readonly VersionRow[];
  readonly companions: readonly CompanionRow[];
  readonly holds: readonly HoldRow[];
  readonly liveLeases: readonly { readonly version: number; readonly principal: string; readonly expiresAt: number }[];
}

/** Credentials that the caller may list; others are left out without a word. Sorted by name. */
export async function listCredentials(desk: Desk, caller: Caller): Promise<CredentialView[]> {
  await refuseFrozen(desk, caller, 'credential:list', null);
  const policy = desk.policy();
  const now = desk.clock.now();
  const all = await desk.ledger.find('credentials', {}, { orderBy: 'name', limit: EVERY_ROW });
  const visible = all.filter(
    ({ name }) =>
      policy.decide({ principal: caller.principal, permission: 'credential:list', credential: name, now }).allow,
  );
  return Promise.all(visible.map((credential) => view(desk, credential)));
}

/** @throws KeyturnError `permission_denied`, `not_found`. */
export async function showCredential(desk: Desk, caller: Caller, text: string): Promise<CredentialView> {
  const name = credentialName(text);
  await authorise(desk, caller, 'credential:list', name);
  const [credential] = await desk.ledger.find('credentials', { name });
  if (credential !== undefined) return view(desk, credential);
  throw new KeyturnError('not_found', `There is no credential ${name}.`, {
    fix: 'See those there are: keyturn credential list',
  });
}

async function view(desk: Desk, credential: CredentialRow): Promise<CredentialView> {
  const { name } = credential;
  const [versions, companions, leases, holds] = await Promise.all([
    desk.ledger.find('versions', { credential: name }, { orderBy: 'version', limit: EVERY_ROW }),
    desk.ledger.find('companions', { credential: name, state: 'current' }, { orderBy: 'name' }),
    desk.ledger.find(
      'leases',
      { credential: name, state: 'live', expires_at: { gt: desk.clock.now() } },
      { limit: EVERY_ROW },
    ),
    desk.ledger.find('holds', { lifted_at: null, target: { in: ['version', 'credential'] } }, { limit: EVERY_ROW }),
  ]);
  return {
    credential,
    versions,
    companions,
    holds: holds.filter((hold) => credentialOf(hold) === name),
    liveLeases: leases.map(({ version, principal, expires_at }) => ({ version, principal, expiresAt: expires_at })),
  };
}

/** Holds in force that the caller may see. */
export async function listHolds(desk: Desk, caller: Caller): Promise<HoldRow[]> {
  await refuseFrozen(desk, caller, 'hold:list', null);
  const policy = desk.policy();
  const now = desk.clock.now();
  const holds = await desk.ledger.find('holds', { lifted_at: null }, { orderBy: 'placed_at', limit: EVERY_ROW });
  return holds.filter(
    (hold) =>
      policy.decide({ principal: caller.principal, permission: 'hold:list', credential: credentialOf(hold), now })
        .allow,
  );
}
