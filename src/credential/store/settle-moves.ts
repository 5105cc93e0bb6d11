import { isKeyturnError, KeyturnError } from '../../core/errors.ts';
import type { KeyStore } from '../../keystore/keystore.ts';
import type { Write } from '../../ledger/change.ts';
import { everyRow } from '../../ledger/pages.ts';
import type { MoveRow } from '../../ledger/tables.ts';
import type { Desk } from '../desk.ts';
import { storesNotHeld } from '../hold/checks.ts';
import { refused } from '../refusal.ts';
import { attested } from '../version/settle.ts';
import { moveVersion } from '../version/states.ts';
import { inTurn } from './in-turn.ts';
import { compareCopy, keptIn, type Owner, ownerFacts, ownerOf, putInto } from './owner.ts';
import { credentialPlace, type Place, storePlace } from './store-queue.ts';

/** Moves that began and have not ended, of one process or another. */
export const OPEN_MOVES = ['copying', 'destroying'] as const;

/** A move into another store. */
export type Transfer = MoveRow & { readonly target: string };

/**
 * Settles every move that was interrupted, by looking: the copy stands in the new store → the row is switched; nothing
 * is there → abandoned; something else → abandoned, and left as it is. A destruction that a person ordered goes on.
 * What a store that doesn't answer holds is left for later. Run at start and now and then.
 */
export async function settleMoves(desk: Desk): Promise<void> {
  const open = await everyRow(desk.ledger, 'moves', { state: { in: OPEN_MOVES } }, 'id');
  // A version counts as destroyed when its last copy is.
  const inOrder = [...open.filter(({ target }) => target !== null), ...open.filter(({ target }) => target === null)];
  for (const move of inOrder) {
    await inTurn(desk, placesOf(move), async (own) => {
      const [now] = await own.ledger.find('moves', { id: move.id, state: { in: OPEN_MOVES } });
      if (now !== undefined) await settleMove(own, now);
    });
  }
}

export function placesOf({ source, target, credential }: MoveRow): Place[] {
  return [storePlace(source), ...(target === null ? [] : [storePlace(target)]), credentialPlace(credential)];
}

/**
 * One of them, in its turn.
 * @returns its state then; `copying` and `destroying` when a store or a freeze keeps it from being settled.
 */
export async function settleMove(desk: Desk, move: MoveRow): Promise<MoveRow['state']> {
  try {
    if (move.state === 'destroying') {
      await finishDestroying(desk, 'system', move);
      return 'destroyed';
    }
    return isTransfer(move) ? await settleCopy(desk, move) : move.state;
  } catch (error) {
    if (isKeyturnError(error, 'keystore_unavailable') || isKeyturnError(error, 'held')) return move.state;
    throw error;
  }
}

function isTransfer(move: MoveRow): move is Transfer {
  return move.target !== null;
}

async function settleCopy(desk: Desk, move: Transfer): Promise<MoveRow['state']> {
  const owner = await ownerOf(desk, move.record);
  const found = await compareCopy(desk, owner, storeNamed(desk, move.target));
  if (found === 'unknown') return 'copying';
  if (found === 'same') {
    await finishMove(desk, 'system', move, owner);
    return 'left';
  }
  await abandon(desk, move, owner, found);
  return 'abandoned';
}

/** @throws KeyturnError `keystore_unavailable` when the configuration no longer has it. */
export function storeNamed(desk: Desk, name: string): KeyStore {
  const store = desk.stores.get(name);
  if (store !== undefined) return store;
  throw new KeyturnError('keystore_unavailable', `This server has no key store named ${name}.`, {
    fix: 'Add the store to the configuration of this server.',
  });
}

/**
 * Switches the row to the new store, where its copy stands and was read back. From then on the old copy is left over.
 * @throws KeyturnError `held` when either store was frozen meanwhile: a frozen store is left by nothing.
 */
export async function finishMove(
  desk: Desk,
  actor: string,
  move: Transfer,
  owner: Owner,
  request?: string,
): Promise<number> {
  const { id, record, source, target } = move;
  const { data, ...about } = ownerFacts(owner);
  const outcome = await desk.ledger.commit({
    checks: [
      { rule: 'move-open', table: 'moves', some: { id, state: 'copying' } },
      keptIn(owner, source),
      ...storesNotHeld(source, target),
    ],
    writes: [
      putInto(owner, target),
      // What an earlier move left over there is the record itself again.
      { update: 'moves', where: { record, source: target, state: 'left' }, set: settled(desk, 'returned') },
      { update: 'moves', where: { id }, set: settled(desk, 'left'), rows: 1 },
      ...(await attested(desk, target)),
    ],
    entry: {
      kind: 'store.moved',
      actor,
      ...(request === undefined ? {} : { request }),
      ...about,
      data: { ...data, move: id, record, from: source, to: target },
    },
  });
  if (!outcome.committed) throw refused(outcome.rule);
  desk.keys.clear();
  return outcome.index;
}

async function abandon(desk: Desk, move: Transfer, owner: Owner, found: 'absent' | 'other'): Promise<void> {
  const { id, record, source, target } = move;
  const { data, ...about } = ownerFacts(owner);
  await desk.ledger.commit({
    checks: [{ rule: 'move-open', table: 'moves', some: { id, state: 'copying' } }],
    writes: [
      { update: 'moves', where: { id }, set: settled(desk, 'abandoned'), rows: 1 },
      // Something else that stands there stays, and is known from now on.
      ...(found === 'other' ? await attested(desk, target) : []),
    ],
    entry: {
      kind: 'store.move-abandoned',
      actor: 'system',
      ...about,
      data: { ...data, move: id, record, from: source, to: target, found },
    },
  });
}

/**
 * Destroys a copy whose destruction is on record, and records that it is gone. With the last copy of a version whose
 * key is to be destroyed for good, the version itself is destroyed.
 */
export async function finishDestroying(desk: Desk, actor: string, move: MoveRow, request?: string): Promise<number> {
  const { id, record, source, target } = move;
  await storeNamed(desk, source).destroy(record);
  const owner = await ownerOf(desk, record);
  const { data, ...about } = ownerFacts(owner);
  const outcome = await desk.ledger.commit({
    checks: [
      { rule: 'move-open', table: 'moves', some: { id, state: 'destroying' } },
      ...(target === null
        ? [{ rule: 'copies-left', table: 'moves', none: { record, state: 'destroying', id: { not: id } } } as const]
        : []),
    ],
    writes: [
      { update: 'moves', where: { id }, set: settled(desk, 'destroyed'), rows: 1 },
      ...(target === null ? [versionDestroyed(desk, owner)] : []),
      ...(await attested(desk, source)),
    ],
    entry: {
      kind: target === null ? 'version.destroyed' : 'store.copy-destroyed',
      actor,
      ...(request === undefined ? {} : { request }),
      ...about,
      data: { ...data, move: id, record, store: source },
    },
  });
  if (!outcome.committed) throw refused(outcome.rule);
  desk.keys.clear();
  return outcome.index;
}

function versionDestroyed(desk: Desk, { table, row }: Owner): Write {
  if (table !== 'versions') throw new KeyturnError('internal', 'A companion is not destroyed by itself.');
  return moveVersion(row, 'destroyed', desk.clock.now());
}

export function settled(desk: Desk, state: MoveRow['state']): Partial<MoveRow> {
  return { state, changed_at: desk.clock.now() };
}
