import { isKeyturnError } from '../../core/errors.ts';
import type { Caller } from '../caller.ts';
import type { Desk } from '../desk.ts';
import { type ReportedUse, usesOf } from './lease.ts';
import { ownLease } from './renew.ts';

/** How many expired leases one entry may sum up. */
const SWEEP = 500;

/** Gives a lease back before its end. Idempotent: returning a lease that is over changes nothing. */
export async function returnLease(
  desk: Desk,
  caller: Caller,
  id: string,
  uses: readonly ReportedUse[] = [],
): Promise<void> {
  const lease = await ownLease(desk, caller, id);
  if (lease.state !== 'live') return;
  await desk.ledger.commit({
    checks: [{ rule: 'lease-live', table: 'leases', some: { id, state: 'live' } }],
    writes: [{ update: 'leases', where: { id }, set: { state: 'returned' }, rows: 1 }],
    entry: {
      kind: 'lease.returned',
      actor: caller.principal.id,
      request: caller.request,
      credential: lease.credential,
      version: lease.version,
      data: { lease: id, uses: usesOf(uses) },
    },
  });
}

/** Marks leases whose time is up, one entry for each group; called now and then. Returns how many there were. */
export async function expireLeases(desk: Desk): Promise<number> {
  let total = 0;
  for (;;) {
    const now = desk.clock.now();
    const over = await desk.ledger.find('leases', { state: 'live', expires_at: { lte: now } }, { limit: SWEEP });
    if (over.length === 0) return total;
    const ids = over.map(({ id }) => id);
    if (await markExpired(desk, ids, now)) total += ids.length;
  }
}

/** False when one of them was returned meanwhile: the entry must name no lease that did not expire. */
async function markExpired(desk: Desk, ids: readonly string[], now: number): Promise<boolean> {
  try {
    const where = { id: { in: ids }, state: 'live', expires_at: { lte: now } } as const;
    await desk.ledger.commit({
      writes: [{ update: 'leases', where, set: { state: 'expired' }, rows: ids.length }],
      entry: { kind: 'leases.expired', actor: 'system', data: { count: ids.length, leases: ids } },
    });
    return true;
  } catch (error) {
    if (isKeyturnError(error, 'conflict')) return false;
    throw error;
  }
}
