import type { VersionState } from '../../ledger/tables.ts';

/**
 * Legal moves of a version (NIST SP 800-57 part 1 rev. 5, section 7, in our words). Nothing leaves `destroyed`;
 * `compromised` never becomes usable again; a hold stands beside the state and is not one.
 */
export const LEGAL_MOVES: Readonly<Record<VersionState, readonly VersionState[]>> = {
  pending: ['staged', 'current', 'abandoned', 'quarantined'],
  staged: ['current', 'retired', 'compromised'],
  current: ['previous', 'compromised'],
  previous: ['current', 'retired', 'compromised'],
  retired: ['destroyed', 'compromised'],
  compromised: ['destroyed'],
  quarantined: ['compromised', 'destroyed'],
  destroyed: [],
  abandoned: [],
};

/** States from which `to` may be reached. */
export function statesBefore(to: VersionState): VersionState[] {
  return (Object.keys(LEGAL_MOVES) as VersionState[]).filter((from) => LEGAL_MOVES[from].includes(to));
}
