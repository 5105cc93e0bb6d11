import { timestamp } from '../../../core/clock.ts';
import { isKeyturnError } from '../../../core/errors.ts';
import { findVersion } from '../../../credential/version/promote.ts';
import type { TaskRow, VersionRow } from '../../../ledger/tables.ts';
import { closeTasks, openTask } from '../../task/tasks.ts';
import { revocationText } from '../../task/texts.ts';
import { byHandOf, contactOf } from '../../workflow/by-hand.ts';
import type { Revocation, Seen } from '../../workflow/facts.ts';
import { haveIssuerRevoke, issuerOrPerson } from '../../workflow/issuer.ts';
import { backoff, next, type StepContext, type StepHandler, wait } from '../../workflow/step.ts';
import { controlBefore } from './control.ts';
import { revocationReason } from './reason.ts';

/**
 * The old certificate is revoked: through the issuer, else by a person who asks the partner; once it was seen to be
 * accepted, see {@link controlBefore}. Where its successor killed it, there is nothing left to ask for.
 */
export const revoke: StepHandler = async (context) => {
  const { desk, row, facts } = context;
  const old = await findVersion(desk, row.credential, row.replaces ?? 0);
  const controlled = await controlBefore(context, old);
  if ('again' in controlled) return controlled.again;
  const { control } = controlled;
  const found = control === null ? {} : { control };
  if (facts.way.live === 1 && control?.verdict === 'refused') {
    return done(context, old, { by: 'superseded', who: 'system', reasonKept: false }, found);
  }
  return context.environment.lifecycle.revocation.by === 'issuer'
    ? byIssuer(context, old, found)
    : byPerson(context, old, found);
};

async function byIssuer(context: StepContext, old: VersionRow, found: { control?: Seen }) {
  const { row, profile, environment, point } = context;
  try {
    const answer = await haveIssuerRevoke(issuerOrPerson(context), {
      certificate: old.certificate,
      reason: revocationReason('replaced', row, old),
      byHand: byHandOf(profile, environment),
    });
    point('revoke:told');
    // It is gone, or this is not its to revoke: a person finds out whose.
    if (answer.kind === 'asked') return byPerson(context, old, found);
    return done(context, old, { by: 'issuer', who: row.issuer, reasonKept: answer.reasonKept }, found);
  } catch (error) {
    if (!isKeyturnError(error, 'issuer_unavailable')) throw error;
    return wait(`${error.message} Trying again.`, backoff(context));
  }
}

async function byPerson(context: StepContext, old: VersionRow, found: { control?: Seen }) {
  const { row, profile, environment, now, pace } = context;
  const task = await taskOf(context);
  if (task?.state === 'done')
    return done(context, old, { by: 'person', who: task.closed_by ?? '', reasonKept: false }, found);
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
          body: revocationText(profile, row, old, contact, revocationReason('replaced', row, old)),
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

function done(
  context: StepContext,
  old: VersionRow,
  { by, who, reasonKept }: Pick<Revocation, 'by' | 'who' | 'reasonKept'>,
  found: { control?: Seen },
) {
  const at = context.now();
  const reason = revocationReason('replaced', context.row, old);
  return next({
    facts: { ...found, revocation: { at, by, who, reason, reasonKept } },
    writes: closeTasks(context.row, ['revoke'], 'cancelled', at),
    entry: {
      kind: 'version.revoked',
      ...(context.row.replaces === null ? {} : { version: context.row.replaces }),
      data: {
        by,
        who,
        reason,
        reasonKept,
        at: timestamp(at),
        control: found.control?.verdict ?? null,
        done: context.row.step,
      },
    },
  });
}
