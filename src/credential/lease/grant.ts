import { hash } from 'node:crypto';
import { credentialName, partsOf } from '../../access/credential-name.ts';
import type { Receipt } from '../../audit/receipt.ts';
import type { JsonObject } from '../../core/canonical-json.ts';
import { timestamp } from '../../core/clock.ts';
import { KeyturnError } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import type { Check, Where, Write } from '../../ledger/change.ts';
import { remembered } from '../../ledger/remembered.ts';
import type { CompanionRow, LeaseRow, VersionRow } from '../../ledger/tables.ts';
import type { AnswerSealer, NamedSecret } from '../../sealed/answer.ts';
import { type Authority, authorise, denial } from '../authorise.ts';
import type { Caller } from '../caller.ts';
import type { Desk } from '../desk.ts';
import { noHolds } from '../hold/checks.ts';
import type { Touched } from '../hold/hold-switch.ts';
import { refused } from '../refusal.ts';
import { type Lease, type LeaseWish, type ReportedUse, usesOf } from './lease.ts';
import { readMaterial } from './material.ts';
import { untilGroundHolds } from './moved-ground.ts';

/**
 * Lends the current version to the caller: decide → read the key → commit lease and entry, which re-checks all →
 * seal. The key leaves this function sealed, and only after its entry is durable.
 * @throws KeyturnError `permission_denied`, `held`, `no_current_version`, `certificate_expired`, `ledger_unavailable`,
 * `keystore_unavailable`.
 */
export async function grantLease(desk: Desk, caller: Caller, name: string, wish: LeaseWish): Promise<Lease> {
  const credential = credentialName(name);
  return untilGroundHolds(async () => {
    const authority = await authorise(desk, caller, 'credential:lease', credential);
    const version = await currentVersion(desk, credential);
    const former = wish.replaces === undefined ? null : await formerLease(desk, caller, credential, wish.replaces);
    return lend(desk, caller, { authority, version, wish, replaces: former });
  });
}

/** @throws KeyturnError `no_current_version`. */
export async function currentVersion(desk: Desk, credential: string): Promise<VersionRow> {
  const [row] = await desk.ledger.find('versions', { credential, state: 'current' });
  if (row !== undefined) return row;
  throw new KeyturnError('no_current_version', `${credential} has no current version.`, {
    fix: `Import one: keyturn import ${credential} --zip FILE --chain FILE`,
  });
}

export function currentCompanions(desk: Desk, credential: string): Promise<CompanionRow[]> {
  return desk.ledger.find('companions', { credential, state: 'current' }, { orderBy: 'name' });
}

export interface Lending {
  readonly authority: Authority;
  readonly version: VersionRow;
  readonly wish: LeaseWish;
  /** The caller's lease that ends with this one. */
  readonly replaces: Replaced | null;
}

/** Only a lease that is renewed must be live; `uses`: what its renewal reports, null when it is not renewed. */
export interface Replaced {
  readonly lease: LeaseRow;
  readonly uses: readonly ReportedUse[] | null;
}

/** As many answers in a row may have been lost. */
const MOST_LOST = 8;

/**
 * The caller's live lease by this id, or the one that took its place while the answer was lost; null when it is over
 * anyway, or is not the caller's.
 */
async function formerLease(desk: Desk, caller: Caller, credential: string, id: string): Promise<Replaced | null> {
  let at: string | null = id;
  for (let lost = 0; at !== null && lost < MOST_LOST; lost += 1) {
    const mine: Where<'leases'> = { id: at, principal: caller.principal.id, credential };
    const [lease]: LeaseRow[] = await desk.ledger.find('leases', mine);
    if (lease?.state === 'live') return { lease, uses: null };
    at = lease?.replaced_by ?? null;
  }
  return null;
}

/**
 * A lease without its partner's terms is no use, so they are looked for before anything is recorded.
 * @throws KeyturnError `not_found` when a reload has removed the partner or environment.
 */
export function requirePartner(desk: Desk, { credential }: VersionRow): void {
  const { partner, environment } = partsOf(credential);
  desk.profiles().environment(partner, environment);
}

export async function lend(desk: Desk, caller: Caller, lending: Lending): Promise<Lease> {
  requirePartner(desk, lending.version);
  const { version, wish } = lending;
  const now = desk.clock.now();
  const row = leaseRow(desk, caller, lending, now);
  const companions = await currentCompanions(desk, version.credential);
  // Before the record: a public key that nothing can be sealed to gets no lease.
  const sealer = desk.sealers.to(wish.hpkePublicKey, caller.principal.id);
  using material = await readMaterial(desk, version, companions);
  const touched = touchedBy(caller, version, companions);
  const receipt = await record(desk, caller, lending, row, companions, touched);
  desk.holds.refuse(touched);
  const secondsLeft = Math.max(0, Math.floor((row.expires_at - desk.clock.now()) / 1000));
  return { row, version, secondsLeft, sealed: seal(sealer, row, version, material.secrets()), receipt };
}

function leaseRow(desk: Desk, caller: Caller, { authority, version, wish }: Lending, now: number): LeaseRow {
  if (version.not_after <= now) {
    throw new KeyturnError('certificate_expired', `The current certificate of ${version.credential} has expired.`, {
      fix: 'Import and promote a new certificate.',
    });
  }
  return {
    id: newId('lease', now),
    credential: version.credential,
    version: version.version,
    principal: caller.principal.id,
    token: caller.token.id,
    state: 'live',
    granted_at: now,
    renewed_at: null,
    expires_at: leaseEnd(desk, caller, authority, version, wish.ttlSeconds),
    uses: null,
    replaced_by: null,
    in_use: null,
  };
}

/** A lease ends with whatever ends first: its wished or allowed life, the grant, the token, the certificate. */
export function leaseEnd(
  desk: Desk,
  caller: Caller,
  authority: Authority,
  version: VersionRow,
  ttlSeconds: number | undefined,
): number {
  const { defaultSeconds, maximumSeconds } = desk.leaseLimits;
  const wished = Math.min(ttlSeconds ?? defaultSeconds, maximumSeconds);
  return Math.min(
    desk.clock.now() + wished * 1000,
    authority.decision.expiresAt ?? Number.POSITIVE_INFINITY,
    caller.token.expiresAt,
    version.not_after,
  );
}

export function touchedBy(caller: Caller, version: VersionRow, companions: readonly CompanionRow[]): Touched {
  return {
    credential: version.credential,
    version: version.version,
    principal: caller.principal.id,
    host: caller.host,
    stores: [version.store, ...companions.map(({ store }) => store)],
  };
}

async function record(
  desk: Desk,
  caller: Caller,
  lending: Lending,
  row: LeaseRow,
  companions: readonly CompanionRow[],
  touched: Touched,
): Promise<Receipt> {
  const { authority, version, wish, replaces } = lending;
  const outcome = await desk.ledger.commit({
    checks: [
      ...authority.checks,
      versionCurrent(row.credential, row.version, version.store),
      ...noHolds(touched),
      ...companions.map(({ credential, name, generation, store }) =>
        companionCurrent(credential, name, generation, store),
      ),
      ...(replaces === null || replaces.uses === null ? [] : stillLive(replaces.lease)),
    ],
    writes: [...endOf(replaces, row.id), { insert: 'leases', row }],
    entry: {
      kind: 'lease.granted',
      actor: caller.principal.id,
      request: caller.request,
      credential: row.credential,
      version: row.version,
      data: leaseFacts(row, version, wish, {
        grant: authority.decision.rule,
        host: caller.host,
        companions: companions.map(({ name, generation }) => ({ name, generation })),
        ...(replaces === null ? {} : { replaces: replaces.lease.id, uses: usesOf(replaces.uses ?? []) }),
      }),
    },
    refusal: denial(caller, 'credential:lease', row.credential, 'at-commit', { version: row.version }),
    receipt: { seen: wish.seen },
  });
  if (!outcome.committed) throw refused(outcome.rule);
  if (outcome.receipt === null) throw new KeyturnError('internal', 'The ledger gave no receipt.');
  return outcome.receipt;
}

/** The facts of a lease that its receipt proves; the client compares each with its answer. */
export function leaseFacts(row: LeaseRow, version: VersionRow, wish: LeaseWish, more: JsonObject): JsonObject {
  return {
    ...more,
    lease: row.id,
    spki: version.spki,
    serial: version.serial,
    expiresAt: timestamp(row.expires_at),
    token: row.token,
    client: hash('sha256', wish.hpkePublicKey, 'hex'),
  };
}

// One object for equal checks, so that a batch asks once (see the ledger's port). A key that moves to another store
// meanwhile is read anew: a freeze of that store must count.
export const versionCurrent = remembered((credential: string, version: number, store: string): Check => {
  return { rule: 'version-current', table: 'versions', some: { credential, version, state: 'current', store } };
});
const companionCurrent = remembered((credential: string, name: string, generation: number, store: string): Check => {
  const some = { credential, name, generation, state: 'current', store } as const;
  return { rule: 'companion-current', table: 'companions', some };
});

/** A renewal counts for a lease that has not ended before the commit. */
export function stillLive({ id, expires_at }: LeaseRow): Check[] {
  return [
    { rule: 'lease-live', table: 'leases', some: { id, state: 'live' } },
    { rule: 'lease-expired', notAfter: expires_at },
  ];
}

function endOf(replaces: Lending['replaces'], by: string): Write[] {
  if (replaces === null) return [];
  const { lease, uses } = replaces;
  const where = { id: lease.id, state: 'live' } as const;
  const set = { state: 'ended', replaced_by: by } as const;
  if (uses === null) return [{ update: 'leases', where, set }];
  return [{ update: 'leases', where, set: { ...set, uses: JSON.stringify(uses) }, rows: 1 }];
}

export function seal(
  sealer: AnswerSealer,
  row: Pick<LeaseRow, 'id' | 'credential' | 'version' | 'expires_at'>,
  version: VersionRow,
  secrets: readonly NamedSecret[],
) {
  return sealer.seal(
    {
      lease: row.id,
      credential: row.credential,
      version: row.version,
      spki: version.spki,
      expiresAt: timestamp(row.expires_at),
    },
    secrets,
  );
}
