import { KeyturnError } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import type { KeyStore } from '../../keystore/keystore.ts';
import type { MoveRow } from '../../ledger/tables.ts';
import { type Authority, authorise, denial } from '../authorise.ts';
import type { Caller } from '../caller.ts';
import type { Desk } from '../desk.ts';
import { ownerNotHeld, storesNotHeld } from '../hold/checks.ts';
import { refused } from '../refusal.ts';
import { inTurnWhere } from './in-turn.ts';
import { namedStore } from './named-store.ts';
import { assertSound, isKept, isOf, keptIn, type Owner, ownerFacts, ownerOf } from './owner.ts';
import { finishMove, OPEN_MOVES, placesOf, settleMove, type Transfer } from './settle-moves.ts';
import { credentialPlace, storePlace } from './store-queue.ts';

/** One record's way from one store to another. */
export interface MoveOrder {
  readonly from: string;
  readonly to: string;
  readonly record: string;
}

export interface Moved extends MoveOrder {
  readonly credential: string;
  /** Names the old copy, which is left over in `from` until somebody has it destroyed. */
  readonly move: string;
  readonly entry: number;
}

/**
 * Moves one record into another store: authorise → intent → copy, read back and compared → switch of the row. It can
 * be interrupted anywhere: until the switch the old record is the one that counts, after it the new one, and a move
 * that was interrupted is finished or abandoned by what lies in the new store. Leases go on meanwhile. The old copy
 * stays.
 * @throws KeyturnError `not_found`, `conflict` (it lies elsewhere, or its move is not settled), `version_state` (there
 * is no key to move), `held`, `keystore_corrupt` (the old record is not what it should be), `keystore_conflict` (the
 * new store has something else under that name), `keystore_unavailable` (settled when the store answers again).
 */
export async function moveRecord(desk: Desk, caller: Caller, order: MoveOrder): Promise<Moved> {
  const authority = await authorise(desk, caller, 'store:migrate', null);
  const [source, target] = [namedStore(desk, order.from), namedStore(desk, order.to)];
  refuseSame(source, target);
  const { credential } = (await ownerOf(desk, order.record)).row;
  const ordered = [storePlace(source.name), storePlace(target.name), credentialPlace(credential)];
  return inTurnWhere(
    desk,
    // A move that was interrupted may have gone elsewhere: it is settled first.
    async () => [...ordered, ...(await openMoves(desk, order.record)).flatMap(placesOf)],
    async (own) => {
      const resumed = await resume(own, order);
      if (resumed !== null) return { ...order, credential, ...resumed };
      const owner = await ownerOf(own, order.record);
      refuseUnfit(owner, source);
      const move = await recordIntent(own, caller, authority, { owner, source, target });
      try {
        await copy(owner, source, target);
      } catch (error) {
        if ((await settleMove(own, move)) !== 'left') throw error;
        return { ...order, credential, move: move.id, entry: await newestEntry(own, credential) };
      }
      const entry = await finishMove(own, caller.principal.id, move, owner, caller.request);
      return { ...order, credential, move: move.id, entry };
    },
  );
}

export function refuseSame(source: KeyStore, target: KeyStore): void {
  if (source.name !== target.name) return;
  throw new KeyturnError('invalid_input', 'Both stores are the same.', { fix: 'Name another one with --to.' });
}

/** A move of this record that was interrupted is settled first; null when there is none, or it came to nothing. */
async function resume(desk: Desk, { record, to }: MoveOrder): Promise<{ move: string; entry: number } | null> {
  const [open] = await openMoves(desk, record);
  if (open === undefined) return null;
  const state = await settleMove(desk, open);
  if (state === 'left' && open.target === to) return { move: open.id, entry: await newestEntry(desk, open.credential) };
  if (state === 'abandoned' || state === 'destroyed') return null;
  if (state === 'left') throw new KeyturnError('conflict', `${record} has just gone to ${open.target}.`);
  throw new KeyturnError('keystore_unavailable', `An earlier move of ${record} is not settled yet (${open.source}).`, {
    fix: 'Make both stores answer, lift what is frozen, then run the same command again.',
  });
}

function openMoves(desk: Desk, record: string): Promise<MoveRow[]> {
  return desk.ledger.find('moves', { record, state: { in: OPEN_MOVES } });
}

async function newestEntry(desk: Desk, credential: string): Promise<number> {
  const [entry] = await desk.ledger.entries({ kind: 'store.moved', credential, descending: true, limit: 1 });
  return entry?.index ?? 0;
}

function refuseUnfit(owner: Owner, source: KeyStore): void {
  const { record, store, state } = owner.row;
  if (store !== source.name) {
    throw new KeyturnError('conflict', `${record} lies in ${store}, not in ${source.name}.`, {
      fix: 'See what would move: keyturn store migrate --dry-run',
    });
  }
  if (isKept(owner)) return;
  throw new KeyturnError('version_state', `${record} is ${state}: there is nothing whole and known to move.`, {
    fix: 'An import under way is settled within seconds; what is quarantined is looked at by a person.',
    facts: { state },
  });
}

interface Parts {
  readonly owner: Owner;
  readonly source: KeyStore;
  readonly target: KeyStore;
}

async function recordIntent(
  desk: Desk,
  caller: Caller,
  authority: Authority,
  { owner, source, target }: Parts,
): Promise<Transfer> {
  const now = desk.clock.now();
  const { record, credential } = owner.row;
  const { data, ...about } = ownerFacts(owner);
  const move: Transfer = {
    id: newId('move', now),
    record,
    credential,
    source: source.name,
    target: target.name,
    state: 'copying',
    created_at: now,
    changed_at: now,
  };
  const outcome = await desk.ledger.commit({
    checks: [
      ...authority.checks,
      keptIn(owner, source.name),
      { rule: 'move-under-way', table: 'moves', none: { record, state: { in: OPEN_MOVES } } },
      ...storesNotHeld(source.name, target.name),
      ...ownerNotHeld(about),
    ],
    writes: [{ insert: 'moves', row: move }],
    entry: {
      kind: 'store.move-intended',
      actor: caller.principal.id,
      request: caller.request,
      ...about,
      data: { ...data, move: move.id, record, from: source.name, to: target.name, token: caller.token.id },
    },
    refusal: denial(caller, 'store:migrate', credential, 'at-commit', { record }),
  });
  if (!outcome.committed) throw refused(outcome.rule);
  return move;
}

async function copy(owner: Owner, source: KeyStore, target: KeyStore): Promise<void> {
  const { record } = owner.row;
  using octets = await source.read(record);
  assertSound(owner, octets, source);
  await target.write(record, octets);
  using written = await target.read(record);
  if (isOf(owner, written, octets)) return;
  throw new KeyturnError('keystore_corrupt', `${target.name} gave back another ${record} than it was given.`, {
    fix: 'Check who else writes to that store. The old record counts as before.',
  });
}
