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
  return { items: await views(desk, items), next };
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

/** @throws KeyturnError `permission_denied`, `not_found`. */
export async function showCredential(desk: Desk, caller: Caller, text: string): Promise<CredentialView> {
  const name = credentialName(text);
  await authorise(desk, caller, 'credential:list', name);
  const [credential] = await desk.ledger.find('credentials', { name });
  const [found] = credential === undefined ? [] : await views(desk, [credential]);
  if (found !== undefined) return found;
  throw new KeyturnError('not_found', `There is no credential ${name}.`, {
    fix: 'See those there are: keyturn credential list',
  });
}

/** Of credentials of one page, in their order: a few questions for all of them together. */
async function views(desk: Desk, credentials: readonly CredentialRow[]): Promise<CredentialView[]> {
  const { ledger } = desk;
  const credential = { in: credentials.map(({ name }) => name) };
  const live = { credential, state: 'live', expires_at: { gt: desk.clock.now() } } as const;
  const [versions, companions, leases] = await Promise.all([
    everyRow(ledger, 'versions', { credential }, 'record'),
    everyRow(ledger, 'companions', { credential, state: 'current' }, 'record'),
    everyRow(ledger, 'leases', live, 'id'),
  ]);
  const holds = await holdsOn(desk, [
    ...credential.in,
    ...versions.map((row) => versionSubject(row.credential, row.version)),
  ]);
  const own = {
    versions: Map.groupBy(versions, (row) => row.credential),
    companions: Map.groupBy(companions, (row) => row.credential),
    leases: Map.groupBy(leases, (row) => row.credential),
    holds: Map.groupBy(holds, credentialOf),
  };
  return credentials.map((row) => ({
    credential: row,
    versions: (own.versions.get(row.name) ?? []).toSorted((a, b) => a.version - b.version),
    companions: (own.companions.get(row.name) ?? []).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    holds: own.holds.get(row.name) ?? [],
    liveLeases: (own.leases.get(row.name) ?? []).map(({ version, principal, expires_at }) => {
      return { version, principal, expiresAt: expires_at };
    }),
  }));
}

/** In force, of credentials and versions by the names that holds have for them. */
async function holdsOn(desk: Desk, subjects: readonly string[]): Promise<HoldRow[]> {
  const found: HoldRow[] = [];
  for (let at = 0; at < subjects.length; at += ASKED_AT_ONCE) {
    const subject = { in: subjects.slice(at, at + ASKED_AT_ONCE) };
    const where = { lifted_at: null, target: { in: ['version', 'credential'] }, subject };
    found.push(...(await everyRow(desk.ledger, 'holds', where, 'id')));
  }
  return found;
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
