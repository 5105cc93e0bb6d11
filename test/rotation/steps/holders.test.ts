import { expect, test } from 'vitest';
import type { Desk } from '../../../src/credential/desk.ts';
import type { LeaseRow, VersionRow } from '../../../src/ledger/tables.ts';
import { holdersOf } from '../../../src/rotation/steps/leave/holders.ts';

const VERSION = { credential: 'lean/sandbox', version: 1 } as VersionRow;
const NOW = 1_000_000;

function lease(id: string, more: Partial<LeaseRow>): LeaseRow {
  const row = { id, credential: 'lean/sandbox', version: 1, principal: 'service:payments', token: 'token' };
  const times = { granted_at: 0, renewed_at: null, expires_at: NOW + 60_000 };
  return { ...row, ...times, state: 'live', uses: null, replaced_by: null, in_use: null, ...more };
}

/** The ledger's readings of leases, each when it is allowed to see the rows. */
function deskWith(find: (where: Record<string, unknown>, options: { limit: number }) => Promise<LeaseRow[]>): Desk {
  return { ledger: { find: (_: string, where: never, options: never) => find(where, options) } } as unknown as Desk;
}

test('a lease that gives way to another one while they are read is seen, before that or after it', async () => {
  const old = lease('old', {});
  const desk = deskWith(async ({ state, id }) => {
    const seen = { ...old };
    if (state !== 'live') return id === undefined && seen.state === state ? [seen] : [];
    // A connection of the pool that answers late: in the meantime its client was given the new version.
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (old.state === 'live') Object.assign(old, { state: 'ended', replaced_by: 'fresh' });
    return [];
  });
  const { live, unsaid } = await holdersOf(desk, VERSION, NOW, NOW);
  expect([...live, ...unsaid].map(({ id }) => id)).toEqual(['old']);
});

test('of more leases than are looked at, those that were not are waited for until their ends', async () => {
  const desk = deskWith(async ({ state, id }, { limit }) => {
    if (id !== undefined) return [lease('fresh', { version: 2, in_use: '[2]' })];
    if (state !== 'ended') return [];
    return Array.from({ length: limit }, (_, at) => {
      return lease(`old-${at}`, { state: 'ended', replaced_by: 'fresh', expires_at: NOW + 60_000 - at });
    });
  });
  const { unsaid, lastEnd } = await holdersOf(desk, VERSION, NOW, NOW);
  expect(unsaid).toEqual([]);
  expect(lastEnd).toBeGreaterThan(NOW);
});
