import { KeyturnError } from '../../core/errors.ts';
import { everyRow } from '../../ledger/pages.ts';
import type { MoveRow } from '../../ledger/tables.ts';
import { authorise, denial } from '../authorise.ts';
import type { Caller } from '../caller.ts';
import type { Desk } from '../desk.ts';
import { storesNotHeld } from '../hold/checks.ts';
import { refused } from '../refusal.ts';
import { attested } from '../version/settle.ts';
import { inTurn } from './in-turn.ts';
import { compareCopy, isKept, ownerFacts, ownerOf, unnamedIn } from './owner.ts';
import { finishDestroying, placesOf, settled, storeNamed } from './settle-moves.ts';

export interface Destroyed {
  readonly record: string;
  readonly store: string;
  /** Who can bring it back for how long; null for nobody. */
  readonly lingers: string | null;
  readonly entry: number;
}

/** Old copies that moves have left over and nobody has destroyed yet, those in `store` alone when it is named. */
export async function listLeftovers(desk: Desk, caller: Caller, store?: string): Promise<MoveRow[]> {
  await authorise(desk, caller, 'store:migrate', null);
  const where = { state: { in: ['left', 'destroying'] }, ...(store === undefined ? {} : { source: store }) };
  const rows = await everyRow(desk.ledger, 'moves', where, 'id');
  return rows.filter(({ target }) => target !== null);
}

/**
 * Destroys the old copy that a move has left over: authorise → the record is whole where it lies now → intent →
 * destroyed → outcome.
 * @throws KeyturnError `not_found`, `conflict` (it was destroyed, or is the record itself again), `held`,
 * `keystore_corrupt` (the record that counts is not what it should be: then the old copy may be the last one).
 */
export async function destroyLeftover(desk: Desk, caller: Caller, id: string): Promise<Destroyed> {
  const authority = await authorise(desk, caller, 'store:migrate', null);
  const first = await findMove(desk, id);
  return inTurn(desk, placesOf(first), async (own) => {
    const move = await findMove(own, id);
    const { record, source } = move;
    if (move.state !== 'destroying') {
      if (move.state !== 'left') throw notLeft(move);
      await refuseUnlessWhole(own, move);
      await recordIntent(own, caller, authority.checks, move);
    }
    const entry = await finishDestroying(own, caller.principal.id, move, caller.request);
    return { record, store: source, lingers: desk.stores.get(source)?.lingers ?? null, entry };
  });
}

async function recordIntent(
  desk: Desk,
  caller: Caller,
  standing: Awaited<ReturnType<typeof authorise>>['checks'],
  { id, record, source, credential }: MoveRow,
): Promise<void> {
  const { data, ...about } = ownerFacts(await ownerOf(desk, record));
  const outcome = await desk.ledger.commit({
    checks: [
      ...standing,
      { rule: 'move-open', table: 'moves', some: { id, state: 'left' } },
      ...unnamedIn(record, source),
      ...storesNotHeld(source),
    ],
    writes: [
      { update: 'moves', where: { id }, set: settled(desk, 'destroying'), rows: 1 },
      ...(await attested(desk, source, [record])),
    ],
    entry: {
      kind: 'store.copy-destroy-intended',
      actor: caller.principal.id,
      request: caller.request,
      ...about,
      data: { ...data, move: id, record, store: source, token: caller.token.id },
    },
    refusal: denial(caller, 'store:migrate', credential, 'at-commit', { record }),
  });
  if (!outcome.committed) throw refused(outcome.rule);
}

/** Nothing is destroyed on doubt: the record that counts is read, and must be the very secret of the old copy. */
async function refuseUnlessWhole(desk: Desk, { record, source }: MoveRow): Promise<void> {
  const owner = await ownerOf(desk, record);
  if (!isKept(owner)) return;
  const found = await compareCopy(desk, owner, storeNamed(desk, source));
  if (found === 'same' || found === 'absent') return;
  if (found === 'unknown') {
    throw new KeyturnError('keystore_unavailable', `${record} can't be compared: one of its stores does not answer.`, {
      fix: 'Try again when both answer. Nothing was destroyed.',
    });
  }
  throw new KeyturnError('keystore_corrupt', `${record} in ${owner.row.store} and its old copy in ${source} differ.`, {
    fix: 'Find out which one is right before either is destroyed. Nothing was destroyed.',
  });
}

async function findMove(desk: Desk, id: string): Promise<MoveRow> {
  const [move] = await desk.ledger.find('moves', { id });
  if (move !== undefined && move.target !== null) return move;
  throw new KeyturnError('not_found', 'There is no such old copy.', {
    fix: 'See those there are: keyturn store migrate --destroy-left --dry-run',
  });
}

function notLeft({ record, source, state }: MoveRow): KeyturnError {
  const why = state === 'destroyed' ? 'was destroyed' : state === 'returned' ? 'counts again' : `is ${state}`;
  return new KeyturnError('conflict', `The copy of ${record} in ${source} ${why}.`, { fix: 'Nothing is left to do.' });
}
