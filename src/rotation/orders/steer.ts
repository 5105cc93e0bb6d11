import { credentialName } from '../../access/credential-name.ts';
import type { JsonObject } from '../../core/canonical-json.ts';
import { KeyturnError } from '../../core/errors.ts';
import { type Authority, authorise, denial } from '../../credential/authorise.ts';
import type { Caller } from '../../credential/caller.ts';
import type { Desk } from '../../credential/desk.ts';
import { refused } from '../../credential/refusal.ts';
import type { Check, Write } from '../../ledger/change.ts';
import type { RotationRow, TaskRow } from '../../ledger/tables.ts';
import { closeTasks } from '../task/tasks.ts';
import { type Facts, factsOf, type Waiver, withoutDrainWaivers } from '../workflow/facts.ts';
import { factsAfterHalt, standingOf } from '../workflow/halt.ts';
import { type Order, REFUSALS, resumedAt, wasPromoted } from '../workflow/orders.ts';
import { isPast, pathOf, type Step, UNDO_DRAINED, UNDO_PROMOTED, UNDO_STAGED } from '../workflow/path.ts';
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
 * Gives a rotation up before its version was promoted, or when its way back is barred: what it made is revoked, retired,
 * destroyed.
 * @throws KeyturnError `not_found` (none is open), `rotation_state` when it is too late for that, saying what is legal.
 */
export async function abortRotation(desk: Desk, caller: Caller, name: string, why: string): Promise<RotationRow> {
  const helm = await takeHelm(desk, caller, name);
  const checks = await refuseUnlessLegal(helm, 'abort');
  const { facts } = helm;
  const now = desk.clock.now();
  // Nobody has it, and nobody has had it.
  const unused = facts.undone === undefined && !wasPromoted(helm.row) && facts.share === undefined;
  const kept = facts.undone === undefined ? withoutDrainWaivers(facts) : facts;
  const path = unused ? UNDO_STAGED : UNDO_DRAINED;
  const set = undoing({ ...kept, path, undone: { by: caller.principal.id, why, at: now } });
  const writes = closeTasks(helm.row, ['import', 'certificate'], 'cancelled', now);
  return steer(helm, 'rotation.abort-asked', { why }, { set, writes, checks });
}

/**
 * Makes the old version current again, while it is not retired: then the new one drains, and is discarded.
 * @throws KeyturnError `not_found`, `rotation_state`.
 */
export async function rollBackRotation(desk: Desk, caller: Caller, name: string, why: string): Promise<RotationRow> {
  const helm = await takeHelm(desk, caller, name);
  const checks = await refuseUnlessLegal(helm, 'roll-back');
  const { facts } = helm;
  const undone = { by: caller.principal.id, why, at: desk.clock.now() };
  const set = undoing({ ...withoutDrainWaivers(facts), path: UNDO_PROMOTED, undone });
  return steer(helm, 'rotation.roll-back-asked', { why }, { set, checks });
}

/**
 * Says of a rotation under way that the key which it replaces has leaked: it is gone on with as one that began for that,
 * a halted one from the same step.
 * @param version whose key it is; null for no version.
 * @returns null where none is on its way to replace that version, or it is asked to be revoked already.
 */
export async function sayCompromised(
  desk: Desk,
  caller: Caller,
  name: string,
  { version, said }: { readonly version: number | null; readonly said: string },
): Promise<RotationRow | null> {
  const credential = credentialName(name);
  if ((await desk.ledger.count('rotations', { credential, ended_at: null })) === 0) return null;
  const helm = await takeHelm(desk, caller, name);
  const { row, facts } = helm;
  if (version === null || row.replaces !== version || facts.undone !== undefined) return null;
  if (isPast(facts.path, 'drain', row.step as Step)) return null;
  const more = row.state === 'halted' ? goingOn(helm, { said }) : { facts: JSON.stringify({ ...facts, said }) };
  const some = { credential, version, state: wasPromoted(row) ? 'previous' : 'current' } as const;
  const checks = [{ rule: 'version-current', table: 'versions', some } as const];
  return steer(
    helm,
    'rotation.compromised',
    { said },
    { set: { ...more, reason: 'compromised', waits_for: '' }, checks },
  );
}

/** Tries again what was halted, from the same step. @throws KeyturnError `not_found`, `rotation_state`. */
export async function retryRotation(desk: Desk, caller: Caller, name: string, why: string): Promise<RotationRow> {
  const helm = await takeHelm(desk, caller, name);
  await refuseUnlessLegal(helm, 'retry');
  return steer(helm, 'rotation.retry-asked', { why }, { set: goingOn(helm, {}) });
}

/**
 * Takes up the way to the new version again, on the way back, while that version is current: where the old one can't become
 * current again, since it is compromised, held or at its end, and where somebody thinks better of it.
 * @throws KeyturnError `not_found`, `rotation_state`.
 */
export async function resumeRotation(desk: Desk, caller: Caller, name: string, why: string): Promise<RotationRow> {
  const helm = await takeHelm(desk, caller, name);
  const checks = await refuseUnlessLegal(helm, 'resume');
  const { undone: _undone, drainedAt: _drainedAt, ...facts } = helm.facts;
  const step = resumedAt(helm);
  const forward = JSON.stringify({ ...withoutDrainWaivers(facts), path: pathOf(facts.way) });
  const set = { state: 'running', step, facts: forward, waits_for: '' } as const;
  return steer(helm, 'rotation.resume-asked', { why, next: step }, { set, checks });
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
  const set = goingOn(helm, { waivers: [...(helm.facts.waivers ?? []), given] });
  return steer(helm, 'rotation.waived', { what, subject: subject ?? null, why }, { set });
}

/** A person has done what a task asks. The rotation goes on when it sees that. @throws KeyturnError `not_found`, `conflict`. */
export async function completeTask(desk: Desk, caller: Caller, id: string, note: string): Promise<TaskRow> {
  const [task] = await desk.ledger.find('tasks', { id });
  // An id alone tells nobody which credential there is.
  if (task === undefined) throw noTask();
  const authority = await authorise(desk, caller, 'credential:rotate', task.credential);
  await refuseServices(desk, caller, task.credential, 'says that a task is done');
  refuseUnlessSaid(task);
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

/** Some tasks end with what is done, and not by a word of it. */
function refuseUnlessSaid({ kind }: TaskRow): void {
  const fix = 'See its steps: keyturn task list';
  if (kind === 'decide') throw new KeyturnError('conflict', 'This task ends with an order to its rotation.', { fix });
  if (kind === 'import' || kind === 'certificate') {
    throw new KeyturnError('conflict', 'This task ends with its upload.', { fix });
  }
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

/** @returns what must still hold at the commit: that the same version is current. @throws KeyturnError `rotation_state`. */
async function refuseUnlessLegal({ desk, row }: Helm, order: Order): Promise<Check[]> {
  const standing = await standingOf(desk, row);
  const why = REFUSALS[order](standing);
  if (why !== null) throw wrongState(row, why);
  const { credential } = row;
  const where = { credential, state: 'current' } as const;
  return standing.current === null
    ? [{ rule: 'version-current', table: 'versions', none: where }]
    : [{ rule: 'version-current', table: 'versions', some: { ...where, version: standing.current } }];
}

interface Turn {
  readonly set: Partial<RotationRow>;
  readonly writes?: readonly Write[];
  readonly checks?: readonly Check[];
}

/** Whatever was ordered, a decision that was waited for has been made. */
async function steer(
  { desk, caller, authority, row }: Helm,
  kind: string,
  data: JsonObject,
  { set: moved, writes = [], checks = [] }: Turn,
): Promise<RotationRow> {
  const now = desk.clock.now();
  const stepped = moved.step === undefined ? {} : { step_since: now };
  const set = { ...moved, ...stepped, revision: row.revision + 1, changed_at: now };
  const outcome = await desk.ledger.commit({
    checks: [
      ...authority.checks,
      { rule: 'rotation-moved-on', table: 'rotations', some: { id: row.id, revision: row.revision } },
      ...checks,
    ],
    writes: [
      ...writes,
      ...closeTasks(row, ['decide'], 'done', now),
      { update: 'rotations', where: { id: row.id }, set, rows: 1 },
    ],
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

/** As it went on before it was halted. */
function goingOn({ desk, row, facts: { undone } }: Helm, more: Partial<Facts>): Partial<RotationRow> {
  const facts = JSON.stringify({ ...factsAfterHalt(row, desk.clock.now()), ...more });
  return { facts, state: undone === undefined ? 'running' : 'undoing', waits_for: '' };
}

function wrongState(row: RotationRow, fix: string): KeyturnError {
  return new KeyturnError('rotation_state', `The rotation of ${row.credential} is ${row.state} at ${row.step}.`, {
    fix,
    facts: { state: row.state, step: row.step },
  });
}
