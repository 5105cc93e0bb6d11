import type { Check, Where, Write } from '../../ledger/change.ts';
import type { LeaseRow } from '../../ledger/tables.ts';
import type { Caller } from '../caller.ts';
import type { Desk } from '../desk.ts';
import type { ReportedUse } from './lease.ts';

/** A lease that ends with the one that takes its place. */
export interface Replaced {
  readonly lease: LeaseRow;
  /** What its renewal reports; null when it is not renewed, and then need not live any more. */
  readonly uses: readonly ReportedUse[] | null;
}

/** As many answers in a row may have been lost. */
const MOST_LOST = 8;

/**
 * The caller's live lease by this id, or the one that took its place while the answer was lost; null when it is over
 * anyway, or is not the caller's.
 */
export async function formerLease(
  desk: Desk,
  caller: Caller,
  credential: string,
  id: string,
): Promise<Replaced | null> {
  let at: string | null = id;
  for (let lost = 0; at !== null && lost < MOST_LOST; lost += 1) {
    const mine: Where<'leases'> = { id: at, principal: caller.principal.id, credential };
    const [lease]: LeaseRow[] = await desk.ledger.find('leases', mine);
    if (lease?.state === 'live') return { lease, uses: null };
    at = lease?.replaced_by ?? null;
  }
  return null;
}

/** A renewal counts for a lease that has not ended before the commit. */
export function stillLive({ id, expires_at }: LeaseRow): Check[] {
  return [
    { rule: 'lease-live', table: 'leases', some: { id, state: 'live' } },
    { rule: 'lease-expired', notAfter: expires_at },
  ];
}

/** @param by Id of the lease that takes its place. */
export function endOf(replaced: Replaced | null, by: string): Write[] {
  if (replaced === null) return [];
  const { lease, uses } = replaced;
  const where = { id: lease.id, state: 'live' } as const;
  const set = { state: 'ended', replaced_by: by } as const;
  if (uses === null) return [{ update: 'leases', where, set }];
  return [{ update: 'leases', where, set: { ...set, uses: JSON.stringify(uses) }, rows: 1 }];
}
