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

/** Names looked through at a time for those that the caller may list. */
const LOOKED_THROUGH = 1_000;

export interface CredentialPage {
  readonly items: readonly CredentialView[];
  /** Name after which the next page begins; null when this is the last one. */
  readonly next: string | null;
}

/**
 * Credentials that the caller may list; others are left out without a word. Sorted by name: at most `limit` of those
 * whose name is after `after`.
 */
export async function listCredentials(
  desk: Desk,
  caller: Caller,
  { after, limit }: { readonly after: string; readonly limit: number },
): Promise<CredentialPage> {
  await refuseFrozen(desk, caller, 'credential:list', null);
  const visible = await visibleCredentials(desk, caller, after, limit + 1);
  const page = visible.slice(0, limit);
  const holds = await credentialHolds(desk);
  return {
    items: await Promise.all(page.map((credential) => view(desk, credential, holds))),
    next: visible.length > limit ? (page.at(-1)?.name ?? null) : null,
  };
}

/** The first `most` after a name. */
async function visibleCredentials(desk: Desk, caller: Caller, after: string, most: number): Promise<CredentialRow[]> {
  const policy = desk.policy();
  const now = desk.clock.now();
  const { principal } = caller;
  const options = { orderBy: 'name', limit: LOOKED_THROUGH } as const;
  const visible: CredentialRow[] = [];
  for (let from = after; ; ) {
    const rows = await desk.ledger.find('credentials', { name: { gt: from } }, options);
    visible.push(
      ...rows.filter(
        ({ name }) => policy.decide({ principal, permission: 'credential:list', credential: name, now }).allow,
      ),
    );
    const last = rows.at(-1);
    if (last === undefined || rows.length < LOOKED_THROUGH || visible.length >= most) return visible.slice(0, most);
    from = last.name;
  }
}

/** In force, of a credential or of one of its versions. */
function credentialHolds(desk: Desk): Promise<HoldRow[]> {
  const where = { lifted_at: null, target: { in: ['version', 'credential'] } };
  return desk.ledger.find('holds', where, { limit: EVERY_ROW });
}

/** @throws KeyturnError `permission_denied`, `not_found`. */
export async function showCredential(desk: Desk, caller: Caller, text: string): Promise<CredentialView> {
  const name = credentialName(text);
  await authorise(desk, caller, 'credential:list', name);
  const [credential] = await desk.ledger.find('credentials', { name });
  if (credential !== undefined) return view(desk, credential, await credentialHolds(desk));
  throw new KeyturnError('not_found', `There is no credential ${name}.`, {
    fix: 'See those there are: keyturn credential list',
  });
}

async function view(desk: Desk, credential: CredentialRow, holds: readonly HoldRow[]): Promise<CredentialView> {
  const { name } = credential;
  const [versions, companions, leases] = await Promise.all([
    desk.ledger.find('versions', { credential: name }, { orderBy: 'version', limit: EVERY_ROW }),
    desk.ledger.find('companions', { credential: name, state: 'current' }, { orderBy: 'name' }),
    desk.ledger.find(
      'leases',
      { credential: name, state: 'live', expires_at: { gt: desk.clock.now() } },
      { limit: EVERY_ROW },
    ),
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
