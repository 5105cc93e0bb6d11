import { credentialName } from '../../access/credential-name.ts';
import { KeyturnError } from '../../core/errors.ts';
import type { VersionRow } from '../../ledger/tables.ts';
import { authorise, denial } from '../authorise.ts';
import type { Caller } from '../caller.ts';
import type { Desk } from '../desk.ts';
import { refused } from '../refusal.ts';
import { moveVersion, refuseMove, wrongState } from './states.ts';

export interface Promoted {
  readonly credential: string;
  readonly version: number;
  /** The version that was current; null if there was none. */
  readonly previous: number | null;
  readonly entry: number;
}

/**
 * Makes a staged (or the previous) version current; the one that was current becomes previous. Clients hear of it at
 * their next renewal.
 * @throws KeyturnError `not_found`, `version_state` (from any other state, or held), `certificate_expired`.
 */
export async function promote(desk: Desk, caller: Caller, name: string, version: number): Promise<Promoted> {
  const credential = credentialName(name);
  const authority = await authorise(desk, caller, 'credential:promote', credential);
  const row = await findVersion(desk, credential, version);
  refuseUnfit(row, desk.clock.now());
  const [current] = await desk.ledger.find('versions', { credential, state: 'current' });
  const now = desk.clock.now();
  const outcome = await desk.ledger.commit({
    checks: [
      ...authority.checks,
      { rule: 'version-state', table: 'versions', some: { credential, version, state: row.state } },
      {
        rule: 'hold-on-version',
        table: 'holds',
        none: { target: 'version', subject: `${credential}@${version}`, lifted_at: null },
      },
      current === undefined
        ? { rule: 'version-current', table: 'versions', none: { credential, state: 'current' } }
        : {
            rule: 'version-current',
            table: 'versions',
            some: { credential, version: current.version, state: 'current' },
          },
    ],
    writes: [
      ...(current === undefined ? [] : [moveVersion(current, 'previous', now)]),
      moveVersion(row, 'current', now),
    ],
    entry: {
      kind: 'version.promoted',
      actor: caller.principal.id,
      request: caller.request,
      credential,
      version,
      data: { spki: row.spki, previous: current?.version ?? null },
    },
    refusal: denial(caller, 'credential:promote', credential, 'at-commit', { version }),
  });
  if (!outcome.committed) throw refused(outcome.rule);
  desk.keys.clear();
  return { credential, version, previous: current?.version ?? null, entry: outcome.index };
}

/** @throws KeyturnError `not_found`. */
export async function findVersion(desk: Desk, credential: string, version: number): Promise<VersionRow> {
  const [row] = await desk.ledger.find('versions', { credential, version });
  if (row !== undefined) return row;
  throw new KeyturnError('not_found', `${credential} has no version ${version}.`, {
    fix: `See its versions: keyturn credential show ${credential}`,
  });
}

function refuseUnfit(row: VersionRow, now: number): void {
  const fix = 'Only a staged or the previous version can become current.';
  // A pending one becomes current by its import alone, when its key is known to be in the store.
  if (row.state === 'pending') throw wrongState(row, fix);
  refuseMove(row, 'current', fix);
  if (row.not_after < now) {
    throw new KeyturnError('certificate_expired', `The certificate of version ${row.version} has expired.`, {
      fix: 'Import a new certificate.',
    });
  }
}
