import type { RotationRow, VersionRow } from '../../ledger/tables.ts';
import { factsOf, waiverOf } from './facts.ts';
import { isPast, type Step } from './path.ts';

/** What a person may order, but for waivers, which are legal at any time. */
export const ORDERS = ['retry', 'resume', 'abort', 'roll-back'] as const;
export type Order = (typeof ORDERS)[number];

/** What an order is judged by. */
export interface Standing {
  readonly row: RotationRow;
  /** Number of the version that is current; null for none. */
  readonly current: number | null;
  /** The version that is replaced; null when there is none. */
  readonly old: VersionRow | null;
  /** The version that replaces it; null while there is none. */
  readonly fresh: VersionRow | null;
}

/** The table of legal orders (docs/design/rotation.md): why one is not legal, and what is; null where it is. */
export const REFUSALS: Readonly<Record<Order, (standing: Standing) => string | null>> = {
  /** The same step once more. */
  retry: ({ row }) => (row.state === 'halted' ? null : 'It goes on by itself; only one that is halted is tried again.'),

  /** Back on the way to the new version. It has to be current still, or again: then nothing of it was taken away. */
  resume: ({ row, current }) => {
    if (factsOf(row).undone === undefined) return 'It is not on its way back.';
    if (row.version !== null && current === row.version) return null;
    return 'Its version is not current: there is nothing to go on with.';
  },

  /** What was made goes. Never while it is current, nor while the old version may still become current again. */
  abort: (standing) => {
    const { row, current } = standing;
    const facts = factsOf(row);
    // Whoever promotes by hand does it past the rotation.
    if (row.version !== null && current === row.version) return isCurrent(standing);
    if (facts.undone !== undefined) return isBarred(standing) ? null : 'It is being undone already.';
    if (wasPromoted(row)) return isBarred(standing) ? null : 'It was current already, and goes on by itself.';
    if (standing.fresh?.state === 'compromised') return null;
    // Somebody has put another one in the place of both.
    if (row.state === 'halted' && current !== row.replaces) return null;
    // Where one alone may live, the old one may be dead as soon as another one was asked for.
    if (facts.way.live !== 1 || !facts.way.replaces || facts.requestedAt === undefined) return null;
    return 'The partner accepts one certificate alone, and the new one was asked for: go on with it.';
  },

  /** The old version becomes current again, while nothing final has happened to it. */
  'roll-back': ({ row, old, current }) => {
    const facts = factsOf(row);
    if (facts.undone !== undefined) return 'It is being undone already.';
    if (!isPast(facts.path, 'promote', row.step as Step) && (row.version === null || current !== row.version)) {
      return `Its version is not current yet. To give it up: keyturn rotation abort ${row.credential}`;
    }
    if (old === null) return 'There was no version before it.';
    if (facts.way.live === 1) return 'The partner accepts one certificate alone: the old one is dead.';
    if (facts.drainedAt !== undefined || isPast(facts.path, 'drain', row.step as Step)) {
      return `Version ${old.version} is ${old.state}, which is for good. Rotate again instead.`;
    }
    if (old.state === 'previous' || old.state === 'current') return null;
    return `Version ${old.version} is ${old.state}, and can't become current again. Rotate again instead.`;
  },
};

export function legalOrders(standing: Standing): Order[] {
  return ORDERS.filter((order) => REFUSALS[order](standing) === null);
}

/** Where the way to the new version is taken up again: at its canary, unless it has passed that. */
export function resumedAt({ row }: Pick<Standing, 'row'>): Step {
  const facts = factsOf(row);
  const proven = facts.canary?.verdict === 'accepted' || waiverOf(facts, 'canary') !== null;
  return proven || facts.way.live === 1 ? 'promote' : 'canary';
}

/** Whether its version has been current. */
export function wasPromoted(row: RotationRow): boolean {
  return isPast(factsOf(row).path, 'promote', row.step as Step);
}

/**
 * Halted where the one that has to be current for it to go on is not, nor can be made so by an order: on the way back
 * neither of the two is; on the way to it somebody has put another one in its place. What was made can go then.
 */
function isBarred({ row, current }: Standing): boolean {
  if (row.state !== 'halted' || current === row.version) return false;
  if (row.step === 'restore') return current !== row.replaces;
  return row.step === 'drain' && factsOf(row).undone === undefined;
}

function isCurrent({ row }: Standing): string {
  const { credential } = row;
  const order =
    factsOf(row).undone === undefined ? 'go back: keyturn rotation roll-back' : 'go on: keyturn rotation resume';
  return `Its version is current. To ${order} ${credential}`;
}
