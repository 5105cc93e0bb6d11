import type { Check } from '../../ledger/change.ts';
import { subjectsOf, type Touched } from './hold-switch.ts';

/** Checks that no hold in force stands on anything touched. */
export function noHolds(touched: Touched): Check[] {
  return subjectsOf(touched).map(([target, subject]) => ({
    rule: `hold-on-${target}`,
    table: 'holds',
    none: { target, subject, lifted_at: null },
  }));
}

/** Checks that none of these key stores is frozen. */
export function storesNotHeld(...stores: readonly string[]): Check[] {
  return stores.map((subject) => ({
    rule: 'hold-on-store',
    table: 'holds',
    none: { target: 'store', subject, lifted_at: null },
  }));
}
