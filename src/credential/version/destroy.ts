import { credentialName } from '../../access/credential-name.ts';
import { KeyturnError } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import type { Write } from '../../ledger/change.ts';
import type { MoveRow, VersionRow } from '../../ledger/tables.ts';
import { authorise } from '../authorise.ts';
import type { Caller } from '../caller.ts';
import type { Desk } from '../desk.ts';
import { ownerNotHeld, storesNotHeld } from '../hold/checks.ts';
import { type Mandate, mandateOf } from '../mandate.ts';
import { refused } from '../refusal.ts';
import { inTurnWhere } from '../store/in-turn.ts';
import { finishDestroying, OPEN_MOVES, settled, storeNamed } from '../store/settle-moves.ts';
import { credentialPlace, type Place, storePlace } from '../store/store-queue.ts';
import { findVersion } from './promote.ts';
import { attested } from './settle.ts';
import { refuseMove } from './states.ts';

export interface VersionDestroyed {
  readonly credential: string;
  readonly version: number;
  /** Every store that its key was destroyed in, old copies included. */
  readonly stores: readonly string[];
  /** Of those that keep what they destroy for a while: who can bring it back, and how long. */
  readonly lingering: readonly { readonly store: string; readonly detail: string }[];
  readonly entry: number;
}

/**
 * Destroys a version's key in its store, and every old copy that a move has left over: intent → destroyed → outcome.
 * Interrupted, it goes on at the next start. There is no way back; so a version is retired first.
 * @throws KeyturnError `not_found`, `version_state`, `held` (what is frozen is kept), `conflict` (a move of it is under
 * way), `keystore_unavailable` (a store does not answer: it goes on when it does).
 */
export async function destroyVersion(
  desk: Desk,
  caller: Caller,
  name: string,
  version: number,
): Promise<VersionDestroyed> {
  const credential = credentialName(name);
  const authority = await authorise(desk, caller, 'credential:destroy', credential);
  return destroyFor(desk, mandateOf(caller, authority, 'credential:destroy', credential, version), credential, version);
}

/**
 * The same on behalf of a workflow.
 * @throws as {@link destroyVersion}.
 */
export async function destroyFor(
  desk: Desk,
  mandate: Mandate,
  credential: string,
  version: number,
): Promise<VersionDestroyed> {
  const places = async () => placesOfVersion(desk, await findVersion(desk, credential, version));
  return inTurnWhere(desk, places, async (own) => {
    const moves = await destruction(own, mandate, await findVersion(own, credential, version));
    let entry = 0;
    for (const move of moves) entry = await finishDestroying(own, mandate.actor, move, mandate.request);
    const stores = moves.map(({ source }) => source);
    const lingering = stores.flatMap((store) => {
      const detail = desk.stores.get(store)?.lingers ?? null;
      return detail === null ? [] : [{ store, detail }];
    });
    return { credential, version, stores, lingering, entry };
  });
}

/** Wherever its key lies, or a copy of it, those whose destruction has begun included. */
async function placesOfVersion(desk: Desk, { credential, record, store }: VersionRow): Promise<Place[]> {
  const copies = await desk.ledger.find('moves', { record, state: { in: ['left', 'destroying'] } }, { limit: 1_000 });
  return [storePlace(store), ...copies.map(({ source }) => storePlace(source)), credentialPlace(credential)];
}

/** What has to be done first, in order. */
function beforeDestruction({ credential, version, state }: VersionRow): string {
  const retire = `keyturn retire ${credential} ${version}`;
  if (state === 'current') {
    const replace = `keyturn rotate ${credential}, or keyturn promote ${credential} NUMBER`;
    return `Have another version take its place (${replace}); then ${retire}; then destroy it.`;
  }
  if (state === 'pending') return 'Wait until its import has ended.';
  return state === 'abandoned' ? 'It never had a key.' : `Retire it first: ${retire}`;
}

function leftovers(desk: Desk, { record }: VersionRow): Promise<MoveRow[]> {
  return desk.ledger.find('moves', { record, state: 'left' }, { orderBy: 'id', limit: 1_000 });
}

/** What is to be destroyed, on record: old copies first, the version's own record last. Goes on with an order of before. */
async function destruction(desk: Desk, mandate: Mandate, row: VersionRow): Promise<MoveRow[]> {
  const begun = await desk.ledger.find('moves', { record: row.record, state: 'destroying' }, { orderBy: 'id' });
  if (begun.some(({ target }) => target === null)) return begun;
  refuseMove(row, 'destroyed', beforeDestruction(row));
  const copies = await leftovers(desk, row);
  const own = ownMove(desk, row);
  for (const { source } of [...copies, own]) storeNamed(desk, source);
  await recordIntent(desk, mandate, { row, copies, own });
  return [...copies, own];
}

function ownMove(desk: Desk, { record, credential, store }: VersionRow): MoveRow {
  const now = desk.clock.now();
  const state = 'destroying' as const;
  return {
    id: newId('move', now),
    record,
    credential,
    source: store,
    target: null,
    state,
    created_at: now,
    changed_at: now,
  };
}

interface Doomed {
  readonly row: VersionRow;
  readonly copies: readonly MoveRow[];
  readonly own: MoveRow;
}

async function recordIntent(desk: Desk, mandate: Mandate, { row, copies, own }: Doomed): Promise<void> {
  const { credential, version, record, state, store } = row;
  const stores = [...new Set([...copies, own].map(({ source }) => source))];
  const known: Write[] = [];
  for (const each of stores) known.push(...(await attested(desk, each, [record])));
  const outcome = await desk.ledger.commit({
    checks: [
      ...mandate.checks,
      { rule: 'version-state', table: 'versions', some: { credential, version, state, store } },
      { rule: 'move-under-way', table: 'moves', none: { record, state: { in: OPEN_MOVES } } },
      ...storesNotHeld(...stores),
      ...ownerNotHeld({ credential, version }),
    ],
    writes: [
      { update: 'moves', where: { record, state: 'left' }, set: settled(desk, 'destroying'), rows: copies.length },
      { insert: 'moves', row: own },
      ...known,
    ],
    entry: {
      kind: 'version.destroy-intended',
      actor: mandate.actor,
      ...(mandate.request === undefined ? {} : { request: mandate.request }),
      credential,
      version,
      data: { spki: row.spki, from: state, record, stores, ...mandate.facts },
    },
    ...(mandate.refusal === undefined ? {} : { refusal: mandate.refusal }),
  });
  if (outcome.committed) return;
  if (outcome.rule !== 'move-under-way') throw refused(outcome.rule);
  throw new KeyturnError('conflict', `A move of version ${version} of ${credential} is not settled yet.`, {
    fix: 'It is settled within seconds when both stores answer; then try again.',
  });
}
