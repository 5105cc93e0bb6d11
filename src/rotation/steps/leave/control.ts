import { timestamp } from '../../../core/clock.ts';
import { type ErrorCode, isKeyturnError } from '../../../core/errors.ts';
import { findVersion } from '../../../credential/version/promote.ts';
import type { VersionRow } from '../../../ledger/tables.ts';
import { seen } from '../../proof/prober.ts';
import type { Seen } from '../../workflow/facts.ts';
import type { StepOutcome } from '../../workflow/journal.ts';
import { backoff, type StepContext, wait } from '../../workflow/step.ts';

/** Its key can't be had, now or ever: then nothing is known of what the partner would say. */
const NO_KEY: readonly ErrorCode[] = ['keystore_unavailable', 'keystore_corrupt', 'not_found'];

/** What the old certificate was told in this step; or that it has to be shown again first. */
export type Controlled = { readonly control: Seen | null } | { readonly again: StepOutcome };

/**
 * The old certificate is shown once more before anybody is told to revoke it, so that a later refusal means something. Without
 * a clear answer it is shown again until `controlMs` are over; then it is revoked all the same, and the control is missing.
 * What is compromised waits for no answer, and what has ended would get none. That it is over is on record before anybody is
 * told: interrupted after that, it can't be shown to be accepted any more.
 */
export async function controlBefore(context: StepContext, old: VersionRow): Promise<Controlled> {
  const { row, facts, journal, pace, now } = context;
  const ofThisStep = facts.control !== undefined && facts.control.at >= row.step_since ? facts.control : null;
  if (facts.controlledAt !== undefined && facts.controlledAt >= row.step_since) return { control: ofThisStep };
  const control = await show(context, old);
  const until = Math.min(row.step_since + pace.controlMs, old.not_after);
  const pressing = old.state === 'compromised' || row.reason === 'compromised';
  const entry = entryOf(old, control ?? facts.control ?? null);
  if (control?.verdict === 'inconclusive' && !pressing && now() < until) {
    const why = `Before it is revoked, version ${old.version} is to be seen accepted. ${control.detail} Trying again until ${timestamp(until)}.`;
    return { again: wait(why, Math.min(backoff(context), until - now()), { facts: { control }, entry }) };
  }
  const found = control === null ? {} : { control };
  await journal.note('rotation.control', { facts: { ...found, controlledAt: now() }, entry });
  return { control };
}

function entryOf({ version }: VersionRow, control: Seen | null) {
  const data = { control: control?.verdict ?? null, cause: control?.cause ?? null };
  return { kind: 'rotation.control', version, data };
}

/**
 * Null where the profile names no way, or it was seen accepted already. Where one certificate may live a refusal ends the
 * matter, so the successor is shown beside it: of a partner that refuses both it says nothing.
 */
async function show(context: StepContext, old: VersionRow): Promise<Seen | null> {
  const { facts, environment, now } = context;
  const alone = facts.way.live === 1;
  if (environment.lifecycle.test === null || (facts.control?.verdict === 'accepted' && !alone)) return null;
  try {
    return await shown(context, old, alone);
  } catch (error) {
    if (!isKeyturnError(error) || !NO_KEY.includes(error.code)) throw error;
    return { at: now(), verdict: 'inconclusive', cause: error.code, detail: error.message };
  }
}

async function shown({ desk, row, environment, prober }: StepContext, old: VersionRow, alone: boolean) {
  const { test } = environment.lifecycle;
  const successor = alone ? [await findVersion(desk, row.credential, row.version ?? 0)] : [];
  const [first, beside] = await prober.open(row, [old, ...successor], environment, 'control');
  if (first === undefined || test === null) return null;
  const control = seen(await prober.show(first, test, environment));
  if (beside === undefined || control.verdict !== 'refused') return control;
  const { verdict } = await prober.show(beside, test, environment);
  if (verdict === 'accepted') return control;
  const detail = `It was refused, but its successor was ${verdict} just then.`;
  return { ...control, verdict: 'inconclusive', cause: 'successor_not_accepted', detail } as const;
}
