import { KeyturnError } from '../../../core/errors.ts';
import { findVersion } from '../../../credential/version/promote.ts';
import { seen } from '../../proof/prober.ts';
import { waiverOf } from '../../workflow/facts.ts';
import { isPast } from '../../workflow/path.ts';
import { backoff, halt, next, type StepContext, type StepHandler, wait } from '../../workflow/step.ts';

/**
 * The new certificate is shown to the partner before anyone relies on it; the old one beside it, as a control. Where
 * only one may live the new one is current already, and the canary only tells.
 */
export const canary: StepHandler = async (context) => {
  const { row, facts, environment, prober, desk, now } = context;
  const { test } = environment.lifecycle;
  if (test === null || waiverOf(facts, 'canary') !== null) return next();
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
  if (result.verdict === 'accepted') return next(progress);
  const late = isPast(facts.path, 'promote', 'canary');
  const told = `The partner's answer to version ${fresh.version}: ${result.detail}`;
  if (result.verdict === 'refused') {
    if (late) return wait(`${told} It is current: the old one is dead.`, backoff(context), progress);
    return halt(`${told}${hint(controlled?.verdict)}`, progress);
  }
  if (context.tries + 1 < context.pace.canaryTries || late) {
    return wait(`${told} Trying again.`, backoff(context), { ...progress, facts: { ...found, canary: seen(result) } });
  }
  return halt(`${told} Tried ${context.tries + 1} times, last at ${new Date(now()).toISOString()}.`, progress);
};

/** What the control says about where the fault is. */
function hint(control: string | undefined): string {
  if (control === 'accepted') return ' The old one is accepted, so this one may not be registered there yet.';
  if (control === 'refused') return ' So is the old one.';
  return '';
}

function successorNumber({ row }: StepContext): number {
  if (row.version === null) throw new KeyturnError('internal', 'A rotation came to its canary without a version.');
  return row.version;
}
