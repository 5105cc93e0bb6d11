import { timestamp } from '../../../core/clock.ts';
import { isKeyturnError } from '../../../core/errors.ts';
import { findVersion } from '../../../credential/version/promote.ts';
import type { RevocationReason } from '../../../issuer/reason.ts';
import type { TaskRow, VersionRow } from '../../../ledger/tables.ts';
import { seen } from '../../proof/prober.ts';
import { openTask } from '../../task/tasks.ts';
import { revocationText } from '../../task/texts.ts';
import { byHandOf, contactOf } from '../../workflow/by-hand.ts';
import type { Revocation, Seen } from '../../workflow/facts.ts';
import { backoff, next, type StepContext, type StepHandler, wait } from '../../workflow/step.ts';

/**
 * The old certificate is revoked: through the issuer, else by a person who asks the partner. Before that it is shown once
 * more, so that a later refusal means something. Where its successor killed it, there is nothing left to ask for.
 */
export const revoke: StepHandler = async (context) => {
  const { desk, row, facts } = context;
  const old = await findVersion(desk, row.credential, row.replaces ?? 0);
  const before = controlOfThisStep(context);
  const control = before ?? (await controlOf(context, old));
  const found = control === null ? {} : { control };
  // On record before anybody is told: interrupted after that, it can't be shown to be accepted any more.
  if (before === null && control !== null) await noteControl(context, control);
  if (facts.way.live === 1 && control?.verdict === 'refused') {
    return done(context, { by: 'superseded', who: 'system', reasonKept: false }, found);
  }
  return context.environment.lifecycle.revocation.by === 'issuer'
    ? byIssuer(context, old, found)
    : byPerson(context, old, found);
};

/** What it was told when this step began, if that is on record. */
function controlOfThisStep({ row, facts: { control } }: StepContext): Seen | null {
  return control !== undefined && control.at >= row.step_since ? control : null;
}

function noteControl({ row, journal }: StepContext, control: Seen): Promise<void> {
  const version = row.replaces === null ? {} : { version: row.replaces };
  const { verdict, cause } = control;
  const entry = { kind: 'rotation.control', ...version, data: { control: verdict, cause } };
  return journal.note('rotation.control', { facts: { control }, entry });
}

/**
 * Shown once; null where the profile names no way, or it was seen accepted already. Where one certificate may live a
 * refusal ends the matter, so the successor is shown beside it: of a partner that refuses both it says nothing.
 */
async function controlOf(context: StepContext, old: VersionRow): Promise<Seen | null> {
  const { desk, row, facts, environment, prober } = context;
  const { test } = environment.lifecycle;
  const alone = facts.way.live === 1;
  if (test === null || (facts.control?.verdict === 'accepted' && !alone)) return null;
  if (row.waits_for !== '') return null;
  const successor = alone ? [await findVersion(desk, row.credential, row.version ?? 0)] : [];
  const [shown, beside] = await prober.open(row, [old, ...successor], environment, 'control');
  if (shown === undefined) return null;
  const control = seen(await prober.show(shown, test, environment));
  if (beside === undefined || control.verdict !== 'refused') return control;
  const { verdict } = await prober.show(beside, test, environment);
  if (verdict === 'accepted') return control;
  const detail = `It was refused, but its successor was ${verdict} just then.`;
  return { ...control, verdict: 'inconclusive', cause: 'successor_not_accepted', detail };
}

async function byIssuer(context: StepContext, old: VersionRow, found: { control?: Seen }) {
  const { issuer, profile, environment, point } = context;
  try {
    const answer = await issuer.revoke({
      certificate: old.certificate,
      reason: reasonOf(context, old),
      byHand: byHandOf(profile, environment),
    });
    point('revoke:told');
    if (answer.kind === 'asked') return byPerson(context, old, found);
    return done(context, { by: 'issuer', who: issuer.name, reasonKept: answer.reasonKept }, found);
  } catch (error) {
    // It is not the issuer's, or not its to revoke: a person finds out whose.
    if (isKeyturnError(error, 'issuer_refused')) return byPerson(context, old, found);
    if (!isKeyturnError(error, 'issuer_unavailable')) throw error;
    return wait(`${error.message} Trying again.`, backoff(context));
  }
}

async function byPerson(context: StepContext, old: VersionRow, found: { control?: Seen }) {
  const { row, profile, environment, now, pace } = context;
  const task = await taskOf(context);
  if (task?.state === 'done')
    return done(context, { by: 'person', who: task.closed_by ?? '', reasonKept: false }, found);
  const { revocation } = environment.lifecycle;
  const contact = contactOf(profile, revocation.contact);
  const why = `Waiting until a person has had version ${old.version} revoked: see the open task.`;
  if (task !== null) return wait(why, pace.lookMs);
  return wait(why, pace.lookMs, {
    facts: found,
    writes: [
      openTask(
        row,
        {
          kind: 'revoke',
          owner: contact?.role ?? row.asked_by,
          title: `Have certificate ${old.serial} of ${row.credential} revoked`,
          body: revocationText(profile, row, old, contact, reasonOf(context, old)),
          dueAt: now() + revocation.deadline * 1000,
        },
        now(),
      ),
    ],
  });
}

async function taskOf({ desk, row }: StepContext): Promise<TaskRow | null> {
  const [task] = await desk.ledger.find(
    'tasks',
    { rotation: row.id, kind: 'revoke', state: { in: ['open', 'done'] } },
    { orderBy: 'id', descending: true, limit: 1 },
  );
  return task ?? null;
}

function reasonOf({ row }: StepContext, old: VersionRow): RevocationReason {
  return old.state === 'compromised' || row.reason === 'compromised' ? 'keyCompromise' : 'superseded';
}

function done(
  context: StepContext,
  { by, who, reasonKept }: Pick<Revocation, 'by' | 'who' | 'reasonKept'>,
  found: { control?: Seen },
) {
  const at = context.now();
  const reason = context.row.reason;
  return next({
    facts: { ...found, revocation: { at, by, who, reason, reasonKept } },
    entry: {
      kind: 'version.revoked',
      ...(context.row.replaces === null ? {} : { version: context.row.replaces }),
      data: { by, who, reasonKept, at: timestamp(at), control: found.control?.verdict ?? null, done: context.row.step },
    },
  });
}
