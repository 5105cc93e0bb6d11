import { KeyturnError } from '../../core/errors.ts';
import type { Write } from '../../ledger/change.ts';
import type { VersionRow, VersionState } from '../../ledger/tables.ts';

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

/**
 * The write that moves a version on: every change of a state is made here, so that none is made past the table.
 * @throws KeyturnError `internal` for a move that the table does not have: a use case must refuse it before.
 */
export function moveVersion(row: VersionRow, to: VersionState, now: number): Write {
  const { credential, version, state } = row;
  if (!LEGAL_MOVES[state].includes(to)) {
    throw new KeyturnError('internal', `A version does not go from ${state} to ${to}.`);
  }
  return { update: 'versions', where: { credential, version, state }, set: { state: to, changed_at: now }, rows: 1 };
}

/** @throws KeyturnError `version_state`, with `fix`, when the version can't go there. */
export function refuseMove(row: VersionRow, to: VersionState, fix: string): void {
  if (!LEGAL_MOVES[row.state].includes(to)) throw wrongState(row, fix);
}

export function wrongState({ version, credential, state }: VersionRow, fix: string): KeyturnError {
  return new KeyturnError('version_state', `Version ${version} of ${credential} is ${state}.`, {
    fix,
    facts: { state },
  });
}
