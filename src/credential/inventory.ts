import { credentialName } from '../access/credential-name.ts';
import type { Permission } from '../access/permission.ts';
import { KeyturnError } from '../core/errors.ts';
import { everyRow, pageOf } from '../ledger/pages.ts';
import type { CompanionRow, CredentialRow, HoldRow, VersionRow } from '../ledger/tables.ts';
import { authorise, refuseFrozen } from './authorise.ts';
import type { Caller } from './caller.ts';
import type { Desk } from './desk.ts';
import { credentialOf } from './hold/credential-of.ts';
import { versionSubject } from './hold/hold-switch.ts';

/** Past what one credential has: its versions are shown whole, never cut in silence. */
const EVERY_ROW = 1_000_000;
/** Subjects in one question. */
const ASKED_AT_ONCE = 900;

/** A credential with all that is public about it. */
export interface CredentialView {
  readonly credential: CredentialRow;
  readonly versions: readonly VersionRow[];
  readonly companions: readonly CompanionRow[];
  readonly holds: readonly HoldRow[];
  readonly liveLeases: readonly { readonly version: number; readonly principal: string; readonly expiresAt: number }[];
}

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
  const page = {
    by: 'name',
    after,
    limit,
    keep: mayList(desk, caller, 'credential:list', ({ name }: CredentialRow) => name),
  } as const;
  const { items, next } = await pageOf(desk.ledger, 'credentials', {}, page);
  return { items: await Promise.all(items.map((credential) => view(desk, credential))), next };
}

/** Whether the policy lets the caller list a row, by the credential that it is about. */
function mayList<R>(
  desk: Desk,
  { principal }: Caller,
  permission: Permission,
  about: (row: R) => string | null,
): (row: R) => boolean {
  const [policy, now] = [desk.policy(), desk.clock.now()];
  return (row) => policy.decide({ principal, permission, credential: about(row), now }).allow;
}

/** In force, of a credential or of one of its versions. */
async function holdsOf(desk: Desk, name: string, versions: readonly VersionRow[]): Promise<HoldRow[]> {
  const subjects = [name, ...versions.map(({ version }) => versionSubject(name, version))];
  const found: HoldRow[] = [];
  for (let at = 0; at < subjects.length; at += ASKED_AT_ONCE) {
    const subject = { in: subjects.slice(at, at + ASKED_AT_ONCE) };
    const where = { lifted_at: null, target: { in: ['version', 'credential'] }, subject };
    found.push(...(await everyRow(desk.ledger, 'holds', where, 'id')));
  }
  return found;
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
  const [versions, companions, leases] = await Promise.all([
    desk.ledger.find('versions', { credential: name }, { orderBy: 'version', limit: EVERY_ROW }),
    desk.ledger.find('companions', { credential: name, state: 'current' }, { orderBy: 'name' }),
    everyRow(desk.ledger, 'leases', { credential: name, state: 'live', expires_at: { gt: desk.clock.now() } }, 'id'),
  ]);
  return {
    credential,
    versions,
    companions,
    holds: await holdsOf(desk, name, versions),
    liveLeases: leases.map(({ version, principal, expires_at }) => ({ version, principal, expiresAt: expires_at })),
  };
}

export interface HoldPage {
  readonly items: readonly HoldRow[];
  /** Id after which the next page begins; null when this is the last one. */
  readonly next: string | null;
}

/** Holds in force that the caller may see, in order of their ids: at most `limit` of those after `after`. */
export async function listHolds(
  desk: Desk,
  caller: Caller,
  { after, limit }: { readonly after: string; readonly limit: number },
): Promise<HoldPage> {
  await refuseFrozen(desk, caller, 'hold:list', null);
  const page = { by: 'id', after, limit, keep: mayList(desk, caller, 'hold:list', credentialOf) } as const;
  return pageOf(desk.ledger, 'holds', { lifted_at: null }, page);
}
