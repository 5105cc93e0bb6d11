import type { Desk } from '../../../credential/desk.ts';
import type { LeaseRow, VersionRow } from '../../../ledger/tables.ts';

/** Leases read at a time. More that were replaced than this are waited for until their ends. */
const MOST_LIVE = 1_000;
const MOST_REPLACED = 10_000;
const AT_ONCE = 500;
/** Leases that may have taken the place of one another before their client says anything. */
const MOST_HOPS = 8;

/** Who may use a version that is current no more. */
export interface Holders {
  /** Leases that live, those that end last first. */
  readonly live: readonly LeaseRow[];
  /**
   * Leases that another one took the place of. Their clients have not said that they use the version no more: they may
   * not have heard of it, and then go on until the lease's end.
   */
  readonly unsaid: readonly LeaseRow[];
  /**
   * When the last of these, of those that ran out and of those that were too many to be looked at ends, or has ended; 0 for
   * none. Whoever returned one uses it no more.
   */
  readonly lastEnd: number;
}

/** `since`: leases that ended before it are not looked at, milliseconds since the epoch as `now`. */
export async function holdersOf(desk: Desk, version: VersionRow, now: number, since: number): Promise<Holders> {
  const { credential, version: number } = version;
  const lastFirst = { orderBy: 'expires_at', descending: true } as const;
  const over = { credential, version: number, state: { in: ['live', 'expired'] }, expires_at: { lte: now } } as const;
  // First, and alone: one that gives way to another meanwhile is found below, and else would be in neither reading.
  const live = await desk.ledger.find('leases', liveOn(version, now), { ...lastFirst, limit: MOST_LIVE });
  const [replaced, [last]] = await Promise.all([
    desk.ledger.find(
      'leases',
      { credential, version: number, state: 'ended', expires_at: { gt: since } },
      { ...lastFirst, limit: MOST_REPLACED },
    ),
    desk.ledger.find('leases', over, { ...lastFirst, limit: 1 }),
  ]);
  const unsaid = await unsaidOf(desk, replaced, number);
  const unread = replaced.length === MOST_REPLACED ? replaced.at(-1) : undefined;
  const ends = [last, unsaid[0], unread].map((lease) => lease?.expires_at ?? 0);
  return { live, unsaid, lastEnd: Math.max(...ends) };
}

export function liveOn({ credential, version }: VersionRow, now: number) {
  return { credential, version, state: 'live', expires_at: { gt: now } } as const;
}

/** Those of the leases whose clients have not said that they use the version no more, in the same order. */
async function unsaidOf(desk: Desk, replaced: readonly LeaseRow[], version: number): Promise<LeaseRow[]> {
  const unsaid: LeaseRow[] = [];
  for (let from = 0; from < replaced.length; from += AT_ONCE) {
    const some = replaced.slice(from, from + AT_ONCE);
    const said = await saidAmong(desk, some, version);
    unsaid.push(...some.filter(({ id }) => !said.has(id)));
  }
  return unsaid;
}

/** Ids of those whose clients have said it: by the lease that took their place, or one that took that one's. */
async function saidAmong(desk: Desk, leases: readonly LeaseRow[], version: number): Promise<ReadonlySet<string>> {
  const said = new Set<string>();
  let open = leases.map(({ id, replaced_by: by }) => ({ id, by }));
  for (let hop = 0; hop < MOST_HOPS && open.length > 0; hop += 1) {
    const ids = open.flatMap(({ by }) => (by === null ? [] : [by]));
    const rows = await desk.ledger.find('leases', { id: { in: ids } }, { limit: AT_ONCE });
    const found = new Map(rows.map((row) => [row.id, row]));
    open = open.flatMap(({ id, by }) => {
      const row = found.get(by ?? '');
      if (row === undefined) return [];
      if (saysFree(row, version)) said.add(id);
      return saysFree(row, version) || row.state !== 'ended' ? [] : [{ id, by: row.replaced_by }];
    });
  }
  return said;
}

/** A client that gives its lease back has nothing under way. */
function saysFree({ state, in_use: inUse }: LeaseRow, version: number): boolean {
  if (state === 'returned') return true;
  return inUse !== null && !(JSON.parse(inUse) as readonly number[]).includes(version);
}
