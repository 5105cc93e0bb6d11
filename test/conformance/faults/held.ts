import type { KeyStoreDriver } from '../../../src/keystore/driver.ts';
import { CANARY, STANDING, type Verb, WRITTEN } from './cell.ts';

/** Records that a store holds: `1` stood before, `2` is what `write` writes; with `!` it holds other octets than asked. */
export type Held = readonly string[];

/** By a driver that nothing disturbs. `folder` stands before the names. */
export async function heldBy(driver: KeyStoreDriver, folder = ''): Promise<Held> {
  const names = { 1: STANDING, 2: WRITTEN };
  const found = await Promise.all(
    Object.entries(names).map(async ([number, name]) => {
      using octets = await driver.read(`${folder}${name}`);
      if (octets === null) return [];
      return [octets.bytes.equals(CANARY) ? number : `${number}!`];
    }),
  );
  return found.flat();
}

/**
 * The promise that stands over every expectation: a verb that reads changes nothing, a change that certainly did not
 * happen changed nothing, and one that may have happened did exactly what was asked or nothing.
 * @returns null while it is kept, else what was held against it.
 */
export function brokenPromise(verb: Verb, outcome: string, before: Held, after: Held): string | null {
  const allowed = allowedAfter(verb, outcome, before).map(listed);
  if (allowed.includes(listed(after))) return null;
  return `${verb} said "${outcome}": the store held ${listed(before)} and then ${listed(after)}`;
}

function allowedAfter(verb: Verb, outcome: string, before: Held): Held[] {
  if (verb !== 'write' && verb !== 'destroy') return [before];
  const happened = verb === 'write' ? [...before, '2'] : before.filter((record) => !record.startsWith('1'));
  if (outcome === 'done') return [happened];
  return outcome.endsWith(', ambiguous') ? [before, happened] : [before];
}

export function listed(held: Held): string {
  return held.join('+') || 'nothing';
}
