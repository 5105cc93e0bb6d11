import { credentialName } from '../../access/credential-name.ts';
import type { JsonObject } from '../../core/canonical-json.ts';
import { timestamp } from '../../core/clock.ts';
import { KeyturnError } from '../../core/errors.ts';
import { authorise, refuseFrozen } from '../../credential/authorise.ts';
import type { Caller } from '../../credential/caller.ts';
import type { Desk } from '../../credential/desk.ts';
import type { LeaseRow, RotationRow, TaskRow } from '../../ledger/tables.ts';
import { unwaived } from '../steps/leave/drain.ts';
import { holdersOf } from '../steps/leave/holders.ts';
import { ShareTally } from '../steps/swap/tally.ts';
import { factsOf } from '../workflow/facts.ts';
import { standingOf } from '../workflow/halt.ts';
import { legalOrders } from '../workflow/orders.ts';
import { type Step, stepAfter } from '../workflow/path.ts';
import { leaving } from '../workflow/step.ts';

const MOST_TASKS = 1_000;
const PAGE = 100;
const MOST_UNSAID = 1_000;

/** Where a rotation is, what it waits for, since when, and what happens next. */
export async function showRotation(desk: Desk, caller: Caller, name: string): Promise<JsonObject> {
  const credential = credentialName(name);
  await authorise(desk, caller, 'credential:list', credential);
  const order = { orderBy: 'created_at', descending: true, limit: 1 } as const;
  const [row] = await desk.ledger.find('rotations', { credential }, order);
  if (row === undefined) {
    throw new KeyturnError('not_found', `${credential} has never been rotated.`, {
      fix: `See what a rotation would do: keyturn rotate ${credential} --plan`,
    });
  }
  const tasks = await desk.ledger.find('tasks', { rotation: row.id }, { orderBy: 'id', limit: MOST_TASKS });
  return {
    ...rotationJson(await withShareSeen(desk, row)),
    orders: row.ended_at === null ? legalOrders(await standingOf(desk, row)) : [],
    stragglers: await stragglers(desk, row),
    tasks: tasks.map(taskJson),
  };
}

/** While a share is watched, with what its clients have reported so far. */
async function withShareSeen({ ledger, clock }: Desk, row: RotationRow): Promise<RotationRow> {
  const facts = factsOf(row);
  if (row.step !== 'share' || row.ended_at !== null || facts.share === undefined) return row;
  const shareSeen = await new ShareTally(row, facts.share).read(ledger, clock.now());
  return { ...row, facts: JSON.stringify({ ...facts, shareSeen }) };
}

/** Those whose credential the caller may see, the newest first. */
export async function listRotations(
  desk: Desk,
  caller: Caller,
  query: { readonly open: boolean },
): Promise<JsonObject[]> {
  await refuseFrozen(desk, caller, 'credential:list', null);
  const where = query.open ? { ended_at: null } : {};
  const rows = await desk.ledger.find('rotations', where, {
    orderBy: 'created_at',
    descending: true,
    limit: 10 * PAGE,
  });
  return rows
    .filter((row) => maySee(desk, caller, row.credential))
    .slice(0, PAGE)
    .map(rotationJson);
}

/** Open tasks of credentials that the caller may see, the most urgent first. */
export async function listTasks(desk: Desk, caller: Caller): Promise<JsonObject[]> {
  await refuseFrozen(desk, caller, 'credential:list', null);
  const rows = await desk.ledger.find('tasks', { state: 'open' }, { orderBy: 'due_at', limit: MOST_TASKS });
  return rows.filter((row) => maySee(desk, caller, row.credential)).map(taskJson);
}

function maySee(desk: Desk, { principal }: Caller, credential: string): boolean {
  return desk.policy().decide({ principal, permission: 'credential:list', credential, now: desk.clock.now() }).allow;
}

export function rotationJson(row: RotationRow): JsonObject {
  const facts = factsOf(row);
  const open = row.ended_at === null;
  return {
    id: row.id,
    credential: row.credential,
    replaces: row.replaces,
    version: row.version,
    reason: row.reason,
    askedBy: row.asked_by,
    issuer: row.issuer,
    state: row.state,
    step: row.step,
    since: timestamp(row.step_since),
    waitsFor: row.waits_for === '' ? null : row.waits_for,
    next: open ? stepAfter(facts.path, row.step as Step) : null,
    path: [...facts.path],
    found: foundJson(facts),
    startedAt: timestamp(row.created_at),
    endedAt: row.ended_at === null ? null : timestamp(row.ended_at),
  };
}

/** What the steps have found, for people and programs. */
function foundJson({ path: _path, pause: _pause, way, csr, ...found }: ReturnType<typeof factsOf>): JsonObject {
  const plain = JSON.parse(JSON.stringify(found)) as JsonObject;
  return { keyBy: way.keyBy, live: way.live, ...(csr === undefined ? {} : { csr }), ...plain };
}

export function taskJson(row: TaskRow): JsonObject {
  return {
    id: row.id,
    rotation: row.rotation,
    credential: row.credential,
    kind: row.kind,
    state: row.state,
    owner: row.owner,
    title: row.title,
    ...(JSON.parse(row.body) as JsonObject),
    dueAt: timestamp(row.due_at),
    reminders: row.reminders,
    openedAt: timestamp(row.created_at),
    closedAt: row.closed_at === null ? null : timestamp(row.closed_at),
    closedBy: row.closed_by,
    note: row.note,
  };
}

/** Who keeps the version that leaves from being drained; `moved`: has another one, and has not said that it uses that one alone. */
async function stragglers(desk: Desk, row: RotationRow): Promise<JsonObject[]> {
  const number = leaving(row);
  if (row.step !== 'drain' || number === null || row.ended_at !== null) return [];
  const [version] = await desk.ledger.find('versions', { credential: row.credential, version: number });
  if (version === undefined) return [];
  const now = desk.clock.now();
  const { live, unsaid } = await holdersOf(desk, version, now, now);
  const held = [
    ...live.map((lease) => ({ ...stragglerOf(lease), moved: false })),
    ...unsaid.slice(0, MOST_UNSAID).map((lease) => ({ ...stragglerOf(lease), moved: true })),
  ];
  const revealed = await unwaived(desk, version, factsOf(row));
  return [...held, ...revealed.map((principal) => ({ principal, revealed: true }))];
}

function stragglerOf({ id, principal, expires_at }: LeaseRow): JsonObject {
  return { principal, lease: id, until: timestamp(expires_at) };
}
