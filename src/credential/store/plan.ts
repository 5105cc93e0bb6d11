import { credentialName } from '../../access/credential-name.ts';
import { KeyturnError } from '../../core/errors.ts';
import type { KeyStore } from '../../keystore/keystore.ts';
import { everyRow } from '../../ledger/pages.ts';
import type { MoveRow } from '../../ledger/tables.ts';
import { authorise } from '../authorise.ts';
import type { Caller } from '../caller.ts';
import type { Desk } from '../desk.ts';
import { versionSubject } from '../hold/hold-switch.ts';
import { refuseSame } from './move.ts';
import { namedStore } from './named-store.ts';
import { isKept, type Owner, ownersIn } from './owner.ts';
import { OPEN_MOVES } from './settle-moves.ts';

/** A record as a plan shows it. */
export interface Planned {
  readonly record: string;
  readonly credential: string;
  readonly what: string;
  readonly state: string;
}

export interface StoreNow {
  readonly name: string;
  readonly place: string;
  readonly ready: boolean;
  readonly detail: string;
  readonly frozen: boolean;
  /** What its login may not do there, e.g. `"create" on secret/data/…`; null when that can't be told beforehand. */
  readonly lacking: readonly string[] | null;
}

export interface MovePlan {
  readonly from: StoreNow;
  readonly to: StoreNow;
  readonly moves: readonly Planned[];
  /** With the reason. What holds no key (destroyed, abandoned) is not listed. */
  readonly skipped: readonly (Planned & { readonly why: string })[];
  /** Interrupted moves out of `from`; each is finished or abandoned when its record is asked for again. */
  readonly open: readonly string[];
}

export interface PlanRequest {
  readonly from: string;
  readonly to: string;
  /** Those credentials alone; default: all. */
  readonly credentials?: readonly string[];
}

/**
 * What a migration would do, without doing any of it.
 * @throws KeyturnError `permission_denied`, `invalid_input` (no such store), `not_found` (no such credential).
 */
export async function planMoves(desk: Desk, caller: Caller, request: PlanRequest): Promise<MovePlan> {
  await authorise(desk, caller, 'store:migrate', null);
  const [source, target] = [namedStore(desk, request.from), namedStore(desk, request.to)];
  refuseSame(source, target);
  const chosen = request.credentials === undefined ? null : new Set(request.credentials.map(credentialName));
  for (const name of chosen ?? []) await refuseUnknown(desk, name);
  const owners = (await ownersIn(desk, source.name)).filter(
    ({ row }) => chosen?.has(row.credential) !== false && !['abandoned', 'destroyed'].includes(row.state),
  );
  const judged = owners.map((owner) => ({ ...shown(owner), why: obstacle(desk, owner) }));
  const open = await everyRow(desk.ledger, 'moves', { source: source.name, state: { in: OPEN_MOVES } }, 'id');
  return {
    from: await storeNow(desk, source),
    to: await storeNow(desk, target),
    moves: judged.filter(({ why }) => why === null).map(({ why: _none, ...planned }) => planned),
    skipped: judged.flatMap(({ why, ...planned }) => (why === null ? [] : [{ ...planned, why }])),
    open: open.map(({ record }: MoveRow) => record),
  };
}

async function refuseUnknown({ ledger }: Desk, name: string): Promise<void> {
  if ((await ledger.find('credentials', { name })).length > 0) return;
  throw new KeyturnError('not_found', `There is no credential ${name}.`, {
    fix: 'See those there are: keyturn credential list',
  });
}

function shown({ table, row }: Owner): Planned {
  const what = table === 'versions' ? `version ${row.version}` : `${row.name} ${row.generation}`;
  return { record: row.record, credential: row.credential, what, state: row.state };
}

/** Why it stays; null when it can move. */
function obstacle({ holds }: Desk, owner: Owner): string | null {
  const { credential, state } = owner.row;
  if (state === 'pending') return 'its import is not settled';
  if (state === 'quarantined') return 'the store holds something else under its name; a person must look at it';
  if (!isKept(owner)) return 'it has no key to move';
  if (holds.isHeld('credential', credential)) return 'its credential is frozen';
  const frozen = owner.table === 'versions' && holds.isHeld('version', versionSubject(credential, owner.row.version));
  return frozen ? 'it is frozen' : null;
}

async function storeNow({ holds }: Desk, store: KeyStore): Promise<StoreNow> {
  const { ready, detail } = await store.health();
  const lacking = ready ? await store.lacking() : null;
  const { name, driver } = store;
  return { name, place: driver.description, ready, detail, frozen: holds.isHeld('store', name), lacking };
}
