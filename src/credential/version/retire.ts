import { credentialName } from '../../access/credential-name.ts';
import { timestamp } from '../../core/clock.ts';
import { KeyturnError } from '../../core/errors.ts';
import type { Where } from '../../ledger/change.ts';
import type { VersionRow } from '../../ledger/tables.ts';
import { authorise, denial } from '../authorise.ts';
import type { Caller } from '../caller.ts';
import type { Desk } from '../desk.ts';
import { refused } from '../refusal.ts';
import { findVersion } from './promote.ts';
import { moveVersion, refuseMove } from './states.ts';

/** Leases whose holders a refusal names. */
const NAMED_LEASES = 100;

export interface Retired {
  readonly credential: string;
  readonly version: number;
  /** Leases that were live on it when it was retired by force. Their holders have the key until they end. */
  readonly liveLeases: number;
  readonly entry: number;
}

/**
 * Ends a version's use for good: a staged one that is not wanted, or a previous one that nobody uses any more. Its key
 * stays in its store until it is destroyed.
 * @param force although leases are live on it.
 * @throws KeyturnError `not_found`, `version_state` (from any other state), `conflict` (live leases).
 */
export async function retire(
  desk: Desk,
  caller: Caller,
  name: string,
  { version, force }: { readonly version: number; readonly force: boolean },
): Promise<Retired> {
  const credential = credentialName(name);
  const authority = await authorise(desk, caller, 'credential:retire', credential);
  const row = await findVersion(desk, credential, version);
  refuseMove(
    row,
    'retired',
    'A staged or previous version can be retired; promote another one over the current first.',
  );
  const now = desk.clock.now();
  const live = { credential, version, state: 'live', expires_at: { gt: now } } as const;
  const liveLeases = await desk.ledger.count('leases', live);
  if (!force && liveLeases > 0) throw await inUse(desk, row, live, liveLeases);
  const outcome = await desk.ledger.commit({
    checks: [
      ...authority.checks,
      { rule: 'version-state', table: 'versions', some: { credential, version, state: row.state } },
      ...(force ? [] : [{ rule: 'leases-live', table: 'leases', none: live } as const]),
    ],
    writes: [moveVersion(row, 'retired', now)],
    entry: {
      kind: 'version.retired',
      actor: caller.principal.id,
      request: caller.request,
      credential,
      version,
      data: { spki: row.spki, from: row.state, liveLeases, token: caller.token.id },
    },
    refusal: denial(caller, 'credential:retire', credential, 'at-commit', { version }),
  });
  if (!outcome.committed) throw refused(outcome.rule);
  desk.keys.clear();
  return { credential, version, liveLeases, entry: outcome.index };
}

/** Names those whose leases end last, and when the last one does. */
async function inUse({ ledger }: Desk, row: VersionRow, live: Where<'leases'>, count: number): Promise<KeyturnError> {
  const last = await ledger.find('leases', live, { orderBy: 'expires_at', descending: true, limit: NAMED_LEASES });
  const who = [...new Set(last.map(({ principal }) => principal))].sort().join(', ');
  const more = count > last.length ? ' and others' : '';
  const until = timestamp(last[0]?.expires_at ?? 0);
  return new KeyturnError('conflict', `Version ${row.version} of ${row.credential} is in use by ${who}${more}.`, {
    fix: `Wait until ${until}, when the last lease ends, or give --force: leases go on until they end.`,
    facts: { leases: count, until },
  });
}
