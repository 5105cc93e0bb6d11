import { KeyturnError } from '../../../core/errors.ts';
import { findVersion } from '../../../credential/version/promote.ts';
import { seen } from '../../proof/prober.ts';
import { closeTasks, openTask } from '../../task/tasks.ts';
import { type Facts, type Seen, waiverOf } from '../../workflow/facts.ts';
import type { Progress } from '../../workflow/journal.ts';
import { isPast } from '../../workflow/path.ts';
import { backoff, halt, next, type StepContext, type StepHandler, wait } from '../../workflow/step.ts';

/**
 * The new certificate is shown to the partner before anyone relies on it; the old one beside it, as a control. Where
 * only one may live the new one is current already, and the canary only tells.
 */
export const canary: StepHandler = async (context) => {
  const { row, facts, environment, prober, desk, now } = context;
  const { test } = environment.lifecycle;
  if (test === null || waiverOf(facts, 'canary') !== null) {
    return next({ writes: closeTasks(row, ['look'], 'done', now()) });
  }
  const fresh = await findVersion(desk, row.credential, successorNumber(context));
  const old = row.replaces === null ? null : await findVersion(desk, row.credential, row.replaces);
  const control = old !== null && ['current', 'previous'].includes(old.state) ? old : null;
  const shown = await prober.open(row, control === null ? [fresh] : [fresh, control], environment, 'canary');
  const results = [];
  for (const each of shown) results.push(await prober.show(each, test, environment));
  const [result, controlled] = results;
  if (result === undefined) throw new KeyturnError('internal', 'Nothing was shown.');
  const found = { canary: seen(result), ...(controlled === undefined ? {} : { control: seen(controlled) }) };
  const data = { canary: result.verdict, cause: result.cause, control: controlled?.verdict ?? null };
  const progress = { facts: found, entry: { kind: 'rotation.canary', version: fresh.version, data } };
  if (result.verdict === 'accepted') return next({ ...progress, writes: closeTasks(row, ['look'], 'done', now()) });
  const late = isPast(facts.path, 'promote', 'canary');
  const told = `The partner's answer to version ${fresh.version}: ${result.detail}`;
  if (result.verdict === 'refused') {
    const why = `${told} It is current: the old one is dead.`;
    if (late) return wait(why, backoff(context), { ...progress, ...alarmOnce(context, found) });
    return halt(`${told}${hint(result, controlled)}`, progress);
  }
  if (context.tries + 1 < context.pace.canaryTries || late) {
    return wait(`${told} Trying again.`, backoff(context), progress);
  }
  return halt(`${told} Tried ${context.tries + 1} times, last at ${new Date(now()).toISOString()}.`, progress);
};

/** Nothing can be gone back to, so a person is told, once: clients are refused. */
function alarmOnce({ row, facts, now }: StepContext, found: Partial<Facts>): Progress {
  if (facts.refusedSince !== undefined) return {};
  const { credential } = row;
  const body = {
    steps: [
      `See what the partner answers: keyturn rotation show ${credential}`,
      'Ask the partner to register it; the canary goes on by itself.',
      'If another certificate was issued after it, this one is dead as well: waive canary and proof, and rotate again.',
    ],
  };
  const title = `The partner refuses the current certificate of ${credential}`;
  const task = { kind: 'look', owner: row.asked_by, title, body, dueAt: now() } as const;
  return { facts: { ...found, refusedSince: now() }, writes: [openTask(row, task, now())] };
}

/** Where the fault is, as far as the partner or the control says it. */
function hint({ cause }: Pick<Seen, 'cause'>, control: Pick<Seen, 'verdict'> | undefined): string {
  if (cause === 'not_registered') return ' Have it registered there, then retry.';
  if (control?.verdict === 'accepted') return ' The old one is accepted, so the fault is with this one.';
  return control?.verdict === 'refused' ? ' So is the old one.' : '';
}

function successorNumber({ row }: StepContext): number {
  if (row.version === null) throw new KeyturnError('internal', 'A rotation came to its canary without a version.');
  return row.version;
}
