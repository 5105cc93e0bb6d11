import { parseEntry } from '../../../audit/recorded.ts';
import type { Desk } from '../../../credential/desk.ts';
import type { ReportedUse } from '../../../credential/lease/lease.ts';
import { findVersion } from '../../../credential/version/promote.ts';
import type { LeaseRow, RotationRow } from '../../../ledger/tables.ts';
import type { Facts, Outage } from '../../workflow/facts.ts';

/** Leases and entries read at a time. */
const MOST_LEASES = 10_000;
const ENTRIES = 1_000;
const AT_ONCE = 500;

interface Refusal {
  readonly at: number;
  /** A principal, or `probe`. */
  readonly by: string;
}

/**
 * How long clients were refused where one certificate may live: from the first refusal of either version, which a probe
 * saw or a client reported, until the last client had the new version and the partner accepted it. Null when nobody was
 * seen to be refused. What failed before the new certificate was issued has other reasons.
 */
export async function outageOf(desk: Desk, row: RotationRow, facts: Facts): Promise<Outage | null> {
  const issued = await issuedAt(desk, row, facts);
  const [first] = [...probed(facts), ...(await reported(desk, row))]
    .filter(({ at }) => at >= issued)
    .toSorted((one, other) => one.at - other.at);
  if (first === undefined) return null;
  const moved = await movedSince(desk, row, first.at);
  const accepted = facts.refusedSince === undefined ? 0 : (facts.canary?.at ?? 0);
  const to = Math.max(first.at, accepted, ...moved);
  return { from: first.at, to, ms: to - first.at, by: first.by, clients: moved.length };
}

/** When the new certificate came to be, to within what its issuer dates it back by. */
async function issuedAt(desk: Desk, row: RotationRow, { requestedAt }: Facts): Promise<number> {
  if (requestedAt !== undefined) return requestedAt;
  const fresh = await findVersion(desk, row.credential, row.version ?? 0);
  return Math.max(row.created_at, fresh.not_before);
}

function probed({ control, refusedSince }: Facts): Refusal[] {
  return [
    ...(control?.verdict === 'refused' ? [{ at: control.at, by: 'probe' }] : []),
    ...(refusedSince === undefined ? [] : [{ at: refusedSince, by: 'probe' }]),
  ];
}

/** What clients have said since the rotation began. */
async function reported(desk: Desk, { id, credential, replaces, version }: RotationRow): Promise<Refusal[]> {
  const newest = { credential, kind: 'rotation.started', descending: true, limit: 1 } as const;
  const [started] = await desk.ledger.entries(newest);
  if (started === undefined || parseEntry(started.json).data['rotation'] !== id) return [];
  const refusals: Refusal[] = [];
  for (let from = started.index; ; ) {
    const page = await desk.ledger.entries({ credential, from, limit: ENTRIES });
    for (const { json } of page) refusals.push(...refusalsIn(json, [replaces, version]));
    const last = page.at(-1);
    if (page.length < ENTRIES || last === undefined) return refusals;
    from = last.index + 1;
  }
}

function refusalsIn(json: string, versions: readonly (number | null)[]): Refusal[] {
  const { kind, actor, time, data } = parseEntry(json);
  if (kind !== 'lease.renewed' && kind !== 'lease.granted') return [];
  const uses = (data['uses'] ?? []) as unknown as readonly ReportedUse[];
  return uses
    .filter(({ version, failures = 0 }) => failures > 0 && versions.includes(version))
    .map(({ failedAgo = 0 }) => ({ at: Date.parse(time) - failedAgo * 1_000, by: actor }));
}

/** When each lease of the old version that lived after `from` gave way to another one, or ran out. */
async function movedSince(desk: Desk, { credential, replaces }: RotationRow, from: number): Promise<number[]> {
  const over = {
    credential,
    version: replaces,
    state: { in: ['ended', 'expired'] },
    expires_at: { gt: from },
  } as const;
  const leases = await desk.ledger.find('leases', over, { limit: MOST_LEASES });
  const moved: number[] = [];
  for (let at = 0; at < leases.length; at += AT_ONCE) {
    moved.push(...(await endsOf(desk, leases.slice(at, at + AT_ONCE))));
  }
  return moved.filter((at) => at >= from);
}

async function endsOf(desk: Desk, leases: readonly LeaseRow[]): Promise<number[]> {
  const ids = leases.flatMap(({ replaced_by: by }) => (by === null ? [] : [by]));
  const successors = await desk.ledger.find('leases', { id: { in: ids } }, { limit: AT_ONCE });
  const granted = new Map(successors.map(({ id, granted_at: at }) => [id, at]));
  return leases.map((lease) => granted.get(lease.replaced_by ?? '') ?? lease.expires_at);
}
