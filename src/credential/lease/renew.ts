import { hash } from 'node:crypto';
import { KeyturnError } from '../../core/errors.ts';
import type { CompanionRow, LeaseRow } from '../../ledger/tables.ts';
import { type Authority, authorise, denial } from '../authorise.ts';
import type { Caller } from '../caller.ts';
import type { Desk } from '../desk.ts';
import { noHolds } from '../hold/checks.ts';
import { refused } from '../refusal.ts';
import { stillLive } from './former.ts';
import { currentCompanions, leaseEnd, leaseFacts, lend, requirePartner, seal, touchedBy } from './grant.ts';
import { type Lease, type LeaseWish, type Report, secondsLeftOf, usesOf } from './lease.ts';
import { readMaterial } from './material.ts';
import { untilGroundHolds } from './moved-ground.ts';
import { type Chosen, chooseVersion, lentChecks, shareFacts, wishedSeconds } from './share.ts';

/**
 * Decides anew. A lease on the version that the caller would be granted lives on, without key octets; one on another
 * version is never extended: it ends, and a lease on that version takes its place in the same commit.
 * @throws KeyturnError as `grantLease`; `lease_ended` when the lease is over; `not_found` for another's lease.
 */
export async function renewLease(desk: Desk, caller: Caller, id: string, wish: LeaseWish & Report): Promise<Lease> {
  return untilGroundHolds(async () => {
    const lease = await ownLease(desk, caller, id);
    const authority = await authorise(desk, caller, 'credential:lease', lease.credential);
    refuseEnded(desk, lease);
    const chosen = await chooseVersion(desk, caller, lease.credential, wish);
    return chosen.version.version === lease.version
      ? extend(desk, caller, { authority, lease, ...chosen, wish })
      : lend(desk, caller, { authority, ...chosen, wish, replaces: { lease, uses: wish.uses } });
  });
}

/** A lease of the caller's own. Another's lease is `not_found`: an id alone gives no right (and tells nothing). */
export async function ownLease(desk: Desk, caller: Caller, id: string): Promise<LeaseRow> {
  const [lease] = await desk.ledger.find('leases', { id, principal: caller.principal.id });
  if (lease !== undefined) return lease;
  throw new KeyturnError('not_found', 'There is no such lease of yours.', { fix: 'Ask for a new lease.' });
}

function refuseEnded(desk: Desk, lease: LeaseRow): void {
  if (lease.state === 'live' && lease.expires_at > desk.clock.now()) return;
  throw new KeyturnError('lease_ended', `The lease is over (${lease.state === 'live' ? 'expired' : lease.state}).`, {
    fix: 'Ask for a new lease.',
  });
}

interface Extension extends Chosen {
  readonly authority: Authority;
  readonly lease: LeaseRow;
  readonly wish: LeaseWish & Report;
}

async function extend(desk: Desk, caller: Caller, extension: Extension): Promise<Lease> {
  const { authority, lease, version, wish } = extension;
  requirePartner(desk, version);
  const companions = await newCompanions(desk, lease);
  using material = await readMaterial(desk, null, companions);
  const sealer = companions.length === 0 ? null : desk.sealers.to(wish.hpkePublicKey, caller.principal.id);
  const now = desk.clock.now();
  const expiresAt = leaseEnd(desk, caller, authority, version, wishedSeconds(desk, wish, extension.share));
  const said = wish.inUse === null ? {} : { in_use: JSON.stringify(wish.inUse) };
  const row = { ...lease, renewed_at: now, expires_at: expiresAt, uses: JSON.stringify(wish.uses), ...said };
  const receipt = await record(desk, caller, extension, row, companions);
  desk.holds.refuse(touchedBy(caller, version, companions));
  const secondsLeft = secondsLeftOf(row, desk.clock.now());
  const sealed = sealer === null ? null : seal(sealer, row, version, material.secrets());
  return { row, version, secondsLeft, sealed, receipt };
}

/** A companion's row may become visible this long after the instant it bears. Sending one twice harms nobody. */
const VISIBILITY_LAG_MS = 60_000;

/** Companions that were set after this lease last carried them. */
async function newCompanions(desk: Desk, lease: LeaseRow): Promise<CompanionRow[]> {
  const since = (lease.renewed_at ?? lease.granted_at) - VISIBILITY_LAG_MS;
  const companions = await currentCompanions(desk, lease.credential);
  return companions.filter(({ created_at }) => created_at >= since);
}

async function record(
  desk: Desk,
  caller: Caller,
  extension: Extension,
  row: LeaseRow,
  companions: readonly CompanionRow[],
) {
  const { authority, lease, version, wish } = extension;
  const outcome = await desk.ledger.commit({
    checks: [
      ...authority.checks,
      ...stillLive(lease),
      ...lentChecks(extension),
      ...noHolds(touchedBy(caller, version, companions)),
    ],
    writes: [
      {
        update: 'leases',
        where: { id: row.id },
        set: {
          renewed_at: row.renewed_at,
          expires_at: row.expires_at,
          uses: row.uses,
          in_use: row.in_use,
          token: caller.token.id,
        },
        rows: 1,
      },
    ],
    entry: {
      kind: 'lease.renewed',
      actor: caller.principal.id,
      request: caller.request,
      credential: row.credential,
      version: row.version,
      data: leaseFacts({ ...row, token: caller.token.id }, version, hash('sha256', wish.hpkePublicKey, 'hex'), {
        grant: authority.decision.rule,
        ...shareFacts(extension),
        host: caller.host,
        companions: companions.map(({ name, generation }) => ({ name, generation })),
        uses: usesOf(wish.uses),
        ...(wish.report === null ? {} : { report: wish.report }),
        ...(wish.inUse === null ? {} : { inUse: [...wish.inUse] }),
      }),
    },
    refusal: denial(caller, 'credential:lease', row.credential, 'at-commit', { lease: lease.id, version: row.version }),
    receipt: { seen: wish.seen },
  });
  if (!outcome.committed) throw refused(outcome.rule);
  if (outcome.receipt === null) throw new KeyturnError('internal', 'The ledger gave no receipt.');
  return outcome.receipt;
}
