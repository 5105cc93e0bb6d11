import { credentialName } from '../../access/credential-name.ts';
import type { JsonObject } from '../../core/canonical-json.ts';
import { KeyturnError } from '../../core/errors.ts';
import { type Authority, authorise, denial } from '../../credential/authorise.ts';
import type { Caller } from '../../credential/caller.ts';
import type { Desk } from '../../credential/desk.ts';
import { refused } from '../../credential/refusal.ts';
import type { Write } from '../../ledger/change.ts';
import type { RotationRow, TaskRow } from '../../ledger/tables.ts';
import { closeTasks } from '../task/tasks.ts';
import { type Facts, factsOf, type Waiver } from '../workflow/facts.ts';
import { isPast, type Step, UNDO_PROMOTED, UNDO_STAGED } from '../workflow/path.ts';
import { refuseServices } from './person.ts';

/** A rotation that somebody may steer, and their right to. */
interface Helm {
  readonly desk: Desk;
  readonly caller: Caller;
  readonly authority: Authority;
  readonly row: RotationRow;
  readonly facts: Facts;
}

/**
 * Gives a rotation up before its version was promoted: what it made is revoked, retired, destroyed.
 * @throws KeyturnError `not_found` (none is open), `rotation_state` when it is too late for that, saying what is legal.
 */
export async function abortRotation(desk: Desk, caller: Caller, name: string, why: string): Promise<RotationRow> {
  const helm = await takeHelm(desk, caller, name);
  refuseAbort(helm);
  const { credential, version } = helm.row;
  // Whoever promotes by hand does it past the rotation.
  const current = { credential, version: version ?? 0, state: 'current' } as const;
  if ((await desk.ledger.find('versions', current)).length > 0) throw isCurrent(helm.row);
  const now = desk.clock.now();
  const facts = { ...helm.facts, path: UNDO_STAGED, undone: { by: caller.principal.id, why, at: now } };
  const tasks = closeTasks(helm.row, ['import', 'certificate'], 'cancelled', now);
  return steer(helm, 'rotation.abort-asked', { why }, { ...undoing(facts), waits_for: '' }, tasks);
}

function refuseAbort({ row, facts }: Helm): void {
  // Also one that was halted on its way back.
  if (facts.undone !== undefined) throw wrongState(row, 'It is being undone already.');
  if (isPast(facts.path, 'promote', row.step as Step)) throw isCurrent(row);
  // Where one alone may live, the old one may be dead as soon as another one was asked for.
  if (facts.way.live === 1 && facts.way.replaces && facts.requestedAt !== undefined) {
    throw wrongState(row, 'The partner accepts one certificate alone, and the new one was asked for: go on with it.');
  }
}

/**
 * Makes the old version current again, while it is not retired: then the new one drains, and is discarded.
 * @throws KeyturnError `not_found`, `rotation_state`.
 */
export async function rollBackRotation(desk: Desk, caller: Caller, name: string, why: string): Promise<RotationRow> {
  const helm = await takeHelm(desk, caller, name);
  const { row, facts } = helm;
  if (facts.undone !== undefined) throw wrongState(row, 'It is being undone already.');
  if (!isPast(facts.path, 'promote', row.step as Step)) {
    throw wrongState(row, `Its version is not current yet. To give it up: keyturn rotation abort ${row.credential}`);
  }
  if (row.replaces === null) throw wrongState(row, 'There was no version before it.');
  if (facts.way.live === 1) throw wrongState(row, 'The partner accepts one certificate alone: the old one is dead.');
  if (facts.drainedAt !== undefined || isPast(facts.path, 'drain', row.step as Step)) {
    throw wrongState(row, `Version ${row.replaces} is retired, which is for good. Rotate again instead.`);
  }
  const undone = { by: caller.principal.id, why, at: desk.clock.now() };
  // What was waived of the old version is not waived of the new one.
  const waivers = (facts.waivers ?? []).filter(({ what }) => what !== 'drain' && what !== 'holder');
  const set = undoing({ ...facts, waivers, path: UNDO_PROMOTED, undone });
  return steer(helm, 'rotation.roll-back-asked', { why }, set, []);
}

/** Tries again what was halted, from the same step. @throws KeyturnError `not_found`, `rotation_state`. */
export async function retryRotation(desk: Desk, caller: Caller, name: string, why: string): Promise<RotationRow> {
  const helm = await takeHelm(desk, caller, name);
  const { row, facts } = helm;
  if (row.state !== 'halted') throw wrongState(row, 'It goes on by itself; only one that is halted is tried again.');
  return steer(helm, 'rotation.retry-asked', { why }, { state: stateOf(facts), waits_for: '' }, []);
}

/**
 * A person takes upon themselves what can't be had: a canary, the end of a drain, a proof, or a copy in somebody's hands.
 * @throws KeyturnError `not_found`, `rotation_state`, `invalid_input` (a holder needs a name).
 */
export async function waive(
  desk: Desk,
  caller: Caller,
  name: string,
  { what, subject, why }: Pick<Waiver, 'what' | 'subject' | 'why'>,
): Promise<RotationRow> {
  const helm = await takeHelm(desk, caller, name);
  if ((what === 'holder') !== (subject !== undefined)) {
    throw new KeyturnError('invalid_input', 'A holder is waived by name, and nothing else has one.', {
      fix: 'keyturn rotation waive CREDENTIAL holder --holder person:bob --reason "…"',
    });
  }
  await refuseServices(desk, caller, helm.row.credential, 'waives anything');
  const given: Waiver = {
    what,
    ...(subject === undefined ? {} : { subject }),
    by: caller.principal.id,
    why,
    at: desk.clock.now(),
  };
  const facts = { ...helm.facts, waivers: [...(helm.facts.waivers ?? []), given] };
  const set = { facts: JSON.stringify(facts), state: stateOf(helm.facts), waits_for: '' };
  return steer(helm, 'rotation.waived', { what, subject: subject ?? null, why }, set, []);
}

/** A person has done what a task asks. The rotation goes on when it sees that. @throws KeyturnError `not_found`, `conflict`. */
export async function completeTask(desk: Desk, caller: Caller, id: string, note: string): Promise<TaskRow> {
  const [task] = await desk.ledger.find('tasks', { id });
  // An id alone tells nobody which credential there is.
  if (task === undefined) throw noTask();
  const authority = await authorise(desk, caller, 'credential:rotate', task.credential);
  await refuseServices(desk, caller, task.credential, 'says that a task is done');
  if (task.kind === 'import' || task.kind === 'certificate') {
    throw new KeyturnError('conflict', 'This task ends with its upload.', { fix: 'See its steps: keyturn task show' });
  }
  const set = { state: 'done', closed_at: desk.clock.now(), closed_by: caller.principal.id, note } as const;
  const outcome = await desk.ledger.commit({
    checks: [...authority.checks, { rule: 'task-open', table: 'tasks', some: { id, state: 'open' } }],
    writes: [{ update: 'tasks', where: { id, state: 'open' }, set, rows: 1 }],
    entry: {
      kind: 'task.done',
      actor: caller.principal.id,
      request: caller.request,
      credential: task.credential,
      data: { task: id, rotation: task.rotation, what: task.kind, note, token: caller.token.id },
    },
    refusal: denial(caller, 'credential:rotate', task.credential, 'at-commit', { task: id }),
  });
  if (outcome.committed) return { ...task, ...set };
  if (outcome.rule !== 'task-open') throw refused(outcome.rule);
  throw new KeyturnError('conflict', `The task is ${task.state === 'open' ? 'closed' : task.state} already.`, {
    fix: 'See what is open: keyturn task list',
  });
}

function noTask(): KeyturnError {
  return new KeyturnError('not_found', 'There is no such task.', { fix: 'See what is open: keyturn task list' });
}

/** The open rotation of a credential. @throws KeyturnError `not_found`, `permission_denied`. */
async function takeHelm(desk: Desk, caller: Caller, name: string): Promise<Helm> {
  const credential = credentialName(name);
  const authority = await authorise(desk, caller, 'credential:rotate', credential);
  const [row] = await desk.ledger.find('rotations', { credential, ended_at: null });
  if (row !== undefined) return { desk, caller, authority, row, facts: factsOf(row) };
  throw new KeyturnError('not_found', `No rotation of ${credential} is under way.`, {
    fix: `See those of before: keyturn rotation show ${credential}`,
  });
}

async function steer(
  { desk, caller, authority, row }: Helm,
  kind: string,
  data: JsonObject,
  moved: Partial<RotationRow>,
  writes: readonly Write[],
): Promise<RotationRow> {
  const now = desk.clock.now();
  const stepped = moved.step === undefined ? {} : { step_since: now };
  const set = { ...moved, ...stepped, revision: row.revision + 1, changed_at: now };
  const outcome = await desk.ledger.commit({
    checks: [
      ...authority.checks,
      { rule: 'rotation-moved-on', table: 'rotations', some: { id: row.id, revision: row.revision } },
    ],
    writes: [...writes, { update: 'rotations', where: { id: row.id }, set, rows: 1 }],
    entry: {
      kind,
      actor: caller.principal.id,
      request: caller.request,
      credential: row.credential,
      data: { rotation: row.id, step: row.step, ...data, token: caller.token.id },
    },
    refusal: denial(caller, 'credential:rotate', row.credential, 'at-commit', { rotation: row.id }),
  });
  if (outcome.committed) return { ...row, ...set };
  if (outcome.rule !== 'rotation-moved-on') throw refused(outcome.rule);
  throw new KeyturnError('conflict', 'The rotation moved on at this moment.', {
    fix: `Look where it is, then decide anew: keyturn rotation show ${row.credential}`,
  });
}

function undoing(facts: Facts): Partial<RotationRow> {
  return { state: 'undoing', step: facts.path[0] ?? 'discard', facts: JSON.stringify(facts), waits_for: '' };
}

/** In which it went on before it was halted. */
function stateOf({ undone }: Facts): RotationRow['state'] {
  return undone === undefined ? 'running' : 'undoing';
}

function isCurrent(row: RotationRow): KeyturnError {
  return wrongState(row, `Its version is current. To go back: keyturn rotation roll-back ${row.credential}`);
}

function wrongState(row: RotationRow, fix: string): KeyturnError {
  return new KeyturnError('rotation_state', `The rotation of ${row.credential} is ${row.state} at ${row.step}.`, {
    fix,
    facts: { state: row.state, step: row.step },
  });
}
