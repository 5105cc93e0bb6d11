import type { Check } from '../../ledger/change.ts';
import { remembered } from '../../ledger/remembered.ts';
import type { HoldTarget } from '../../ledger/tables.ts';
import { subjectsOf, type Touched, versionSubject } from './hold-switch.ts';

const made = new WeakMap<Touched, readonly Check[]>();

/** Checks that no hold in force stands on anything touched. */
export function noHolds(touched: Touched): readonly Check[] {
  const known = made.get(touched);
  if (known !== undefined) return known;
  const checks = Object.freeze(subjectsOf(touched).map(([target, subject]) => noHold(target, subject)));
  made.set(touched, checks);
  return checks;
}

/** Checks that neither the credential nor, where one is meant, its version is frozen. */
export function ownerNotHeld({
  credential,
  version,
}: {
  readonly credential: string;
  readonly version?: number;
}): Check[] {
  const frozenVersion = version === undefined ? [] : [noHold('version', versionSubject(credential, version))];
  return [noHold('credential', credential), ...frozenVersion];
}

/** Checks that none of these key stores is frozen. */
export function storesNotHeld(...stores: readonly string[]): Check[] {
  return stores.map((subject) => noHold('store', subject));
}

/** One object for equal checks, so that a batch asks once (see the ledger's port). */
export const noHold = remembered((target: HoldTarget, subject: string): Check => {
  return { rule: `hold-on-${target}`, table: 'holds', none: { target, subject, lifted_at: null } };
});
