import type { JsonValue } from '../../core/canonical-json.ts';
import type { Caller } from '../caller.ts';
import type { Desk } from '../desk.ts';
import { ownLease, type ReportedUse } from './renew.ts';

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
      data: { lease: id, uses: uses as unknown as JsonValue },
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
    const outcome = await desk.ledger.commit({
      writes: [
        {
          update: 'leases',
          where: { id: { in: ids }, state: 'live', expires_at: { lte: now } },
          set: { state: 'expired' },
        },
      ],
      entry: { kind: 'leases.expired', actor: 'system', data: { count: ids.length, leases: ids } },
    });
    if (!outcome.committed) return total;
    total += ids.length;
  }
}
