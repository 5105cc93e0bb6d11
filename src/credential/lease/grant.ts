import { credentialName, partsOf } from '../../access/credential-name.ts';
import type { Receipt } from '../../audit/receipt.ts';
import type { JsonObject } from '../../core/canonical-json.ts';
import { timestamp } from '../../core/clock.ts';
import { KeyturnError } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import type { Check, Where } from '../../ledger/change.ts';
import { remembered } from '../../ledger/remembered.ts';
import type { CompanionRow, LeaseRow, VersionRow } from '../../ledger/tables.ts';
import type { AnswerSealer, NamedSecret } from '../../sealed/answer.ts';
import { type Authority, authorise, denial } from '../authorise.ts';
import type { Caller } from '../caller.ts';
import type { Desk } from '../desk.ts';
import { noHolds } from '../hold/checks.ts';
import type { Touched } from '../hold/hold-switch.ts';
import { refused } from '../refusal.ts';
import { endOf, formerLease, type Replaced, stillLive } from './former.ts';
import { grantedSeconds, type Lease, type LeaseWish, secondsLeftOf, usesOf } from './lease.ts';
import { readMaterial } from './material.ts';
import { untilGroundHolds } from './moved-ground.ts';
import { type Chosen, chooseVersion, lentChecks, shareFacts, wishedSeconds } from './share.ts';

/**
 * Lends the current version to the caller (or the staged one, see {@link chooseVersion}): decide → read the key →
 * commit lease and entry, which re-checks all → seal. The key leaves this function sealed, and only after its entry is
 * durable.
 * @throws KeyturnError `permission_denied`, `held`, `no_current_version`, `certificate_expired`, `ledger_unavailable`,
 * `keystore_unavailable`.
 */
export async function grantLease(desk: Desk, caller: Caller, name: string, wish: LeaseWish): Promise<Lease> {
  const credential = credentialName(name);
  return untilGroundHolds(async () => {
    const authority = await authorise(desk, caller, 'credential:lease', credential);
    const chosen = await chooseVersion(desk, caller, credential, wish);
    const former = wish.replaces === undefined ? null : await formerLease(desk, caller, credential, wish.replaces);
    return lend(desk, caller, { authority, ...chosen, wish, replaces: former });
  });
}

export function currentCompanions(desk: Desk, credential: string): Promise<CompanionRow[]> {
  return desk.ledger.find('companions', currentOf(credential), BY_NAME);
}

const currentOf = remembered((credential: string): Where<'companions'> => ({ credential, state: 'current' }));
const BY_NAME = { orderBy: 'name' } as const;

export interface Lending extends Chosen {
  readonly authority: Authority;
  readonly wish: LeaseWish;
  /** The caller's lease that ends with this one. */
  readonly replaces: Replaced | null;
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
  const receipt = await record(desk, caller, { ...lending, row, companions, touched, sealer });
  desk.holds.refuse(touched);
  const secondsLeft = secondsLeftOf(row, desk.clock.now());
  return { row, version, secondsLeft, sealed: seal(sealer, row, version, material.secrets()), receipt };
}

function leaseRow(desk: Desk, caller: Caller, lending: Lending, now: number): LeaseRow {
  const { authority, version, wish, share } = lending;
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
    expires_at: leaseEnd(desk, caller, authority, version, wishedSeconds(desk, wish, share)),
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
  wishedSeconds: number,
): number {
  const wished = Math.min(wishedSeconds, desk.leaseLimits.maximumSeconds);
  return Math.min(
    desk.clock.now() + wished * 1000,
    authority.decision.expiresAt ?? Number.POSITIVE_INFINITY,
    caller.token.expiresAt,
    version.not_after,
  );
}

export function touchedBy(caller: Caller, version: VersionRow, companions: readonly CompanionRow[]): Touched {
  const { credential, version: number, store } = version;
  return touchedOf(
    credential,
    number,
    caller.principal.id,
    caller.host,
    store,
    ...companions.map((each) => each.store),
  );
}

// One object for equal ones, so that what follows from it is worked out once.
const touchedOf = remembered(
  (credential: string, version: number, principal: string, host: string, ...stores: readonly string[]): Touched => {
    return { credential, version, principal, host, stores };
  },
);

interface Recording extends Lending {
  readonly row: LeaseRow;
  readonly companions: readonly CompanionRow[];
  readonly touched: Touched;
  readonly sealer: AnswerSealer;
}

async function record(desk: Desk, caller: Caller, lending: Recording): Promise<Receipt> {
  const { authority, version, wish, replaces, row, companions, touched, sealer } = lending;
  const outcome = await desk.ledger.commit({
    checks: [
      ...authority.checks,
      ...lentChecks(lending),
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
      data: leaseFacts(row, version, sealer.recipient, {
        grant: authority.decision.rule,
        ...shareFacts(lending),
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

/**
 * The facts of a lease that its receipt proves; the client compares each with its answer. `client`: SHA-256 of the public
 * key of its process, lower-case hex.
 */
export function leaseFacts(row: LeaseRow, version: VersionRow, client: string, more: JsonObject): JsonObject {
  return {
    ...more,
    lease: row.id,
    spki: version.spki,
    serial: version.serial,
    expiresAt: timestamp(row.expires_at),
    // The server's clock and the log's may differ, so that no two instants tell this.
    seconds: grantedSeconds(row),
    token: row.token,
    client,
  };
}

// One object for equal checks, so that a batch asks once (see the ledger's port).
const companionCurrent = remembered((credential: string, name: string, generation: number, store: string): Check => {
  const some = { credential, name, generation, state: 'current', store } as const;
  return { rule: 'companion-current', table: 'companions', some };
});

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
