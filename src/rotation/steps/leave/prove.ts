import type { JsonObject } from '../../../core/canonical-json.ts';
import { timestamp } from '../../../core/clock.ts';
import { findVersion } from '../../../credential/version/promote.ts';
import type { ProbeResult } from '../../../tls/probe/probe.ts';
import { seen } from '../../proof/prober.ts';
import { closeTasks, openTask } from '../../task/tasks.ts';
import { type Facts, type ProofRound, waiverOf } from '../../workflow/facts.ts';
import { next, proofBackoff, type StepContext, type StepHandler, wait } from '../../workflow/step.ts';

/** Good rounds that make a proof, spread over the profile's propagation time. */
const ROUNDS = 3;
/** A round that takes longer says nothing about one moment. */
const ROUND_MS = 60_000;

/**
 * A revocation counts when the old certificate has been seen to be refused: new accepted, old refused, new accepted, at
 * every address of the partner, three times over the time that a revocation takes to get around.
 */
export const prove: StepHandler = async (context) => {
  const { facts, environment, row } = context;
  const waiver = waiverOf(facts, 'proof');
  if (waiver !== null) {
    return next({
      writes: closeTasks(row, ['look'], 'done', context.now()),
      entry: provenEntry(context, { waivedBy: waiver.by, why: waiver.why }),
    });
  }
  const { test, revocation } = environment.lifecycle;
  if (test === null) {
    return wait(
      'The profile names no request to prove it with: a person has to waive the proof.',
      context.pace.lookMs,
      {
        ...(await alarm(context, 'The proof needs a waiver: the profile has no test')),
      },
    );
  }
  const round = await show(context);
  const good = isGood(round.round);
  const rounds = good ? [...(facts.rounds ?? []), round.round] : [];
  const entry = { kind: 'rotation.proof-round', version: row.replaces ?? 0, data: { good, ...round.addresses } };
  const span = (rounds.at(-1)?.at ?? 0) - (rounds[0]?.at ?? 0);
  const propagation = revocation.propagation * 1000;
  if (rounds.length >= ROUNDS && span >= propagation) {
    return next({
      facts: { rounds: rounds.slice(-ROUNDS), lastRound: round.round, provenAt: context.now() },
      writes: closeTasks(row, ['look'], 'done', context.now()),
      entry: provenEntry(context, { rounds: rounds.length, from: timestamp(rounds[0]?.at ?? 0), ...round.addresses }),
    });
  }
  const late = await alarmIfLate(context);
  const progress = { facts: { rounds, lastRound: round.round, ...late.facts }, writes: late.writes, entry };
  if (!good) return wait(`Not proven: ${reasonOf(round.round)}`, againMs(context, late), progress);
  // The last of the rounds falls at the end of the propagation time, or after it.
  const gap = Math.ceil(propagation / (ROUNDS - 1));
  return wait(`${rounds.length} good rounds of ${ROUNDS}.`, Math.max(gap, 100), progress);
};

function isGood({ before, old, after, at }: ProofRound): boolean {
  const quick = after.at - at <= ROUND_MS;
  return quick && before.verdict === 'accepted' && old.verdict === 'refused' && after.verdict === 'accepted';
}

async function show({ row, desk, environment, prober, now }: StepContext) {
  const { test } = environment.lifecycle;
  const fresh = await findVersion(desk, row.credential, row.version ?? 0);
  const old = await findVersion(desk, row.credential, row.replaces ?? 0);
  const [shownFresh, shownOld] = await prober.open(row, [fresh, old], environment, 'proof');
  if (test === null || shownFresh === undefined || shownOld === undefined) throw new Error('unreachable');
  const at = now();
  const before = await prober.show(shownFresh, test, environment);
  const dead = await prober.show(shownOld, test, environment);
  const after = await prober.show(shownFresh, test, environment);
  const round: ProofRound = { at, before: seen(before), old: seen(dead), after: seen(after) };
  const addresses = { before: told(before), old: told(dead), after: told(after) };
  return { round, addresses };
}

function told({ verdict, cause, addresses }: ProbeResult): JsonObject {
  return { verdict, cause, at: addresses.map(({ address, verdict: said }) => `${address} ${said}`) };
}

function reasonOf({ before, old, after }: ProofRound): string {
  if (before.verdict !== 'accepted') return `the new certificate was ${before.verdict}. ${before.detail}`;
  if (old.verdict !== 'refused') return `the old certificate was ${old.verdict}. ${old.detail}`;
  if (after.verdict !== 'accepted') return `the new certificate was then ${after.verdict}. ${after.detail}`;
  return 'the round took longer than a minute.';
}

function provenEntry({ row, facts }: StepContext, data: JsonObject) {
  return {
    kind: 'version.proven-dead',
    version: row.replaces ?? 0,
    data: { ...data, control: facts.control?.verdict ?? null, done: row.step },
  };
}

/** No later than the deadline, by which a person is told. */
function againMs(context: StepContext, { facts }: { readonly facts: Partial<Facts> }): number {
  const patient = proofBackoff(context, context.row.step_since);
  if ((facts.overdueSince ?? context.facts.overdueSince) !== undefined) return patient;
  return Math.min(patient, Math.max(0, deadlineOf(context) - context.now()));
}

function deadlineOf({ row, facts, environment }: StepContext): number {
  return (facts.revocation?.at ?? row.step_since) + environment.lifecycle.revocation.deadline * 1000;
}

async function alarmIfLate(context: StepContext) {
  if (context.now() < deadlineOf(context)) return { facts: {}, writes: [] };
  return alarm(context, 'The old certificate is not proven dead by the deadline');
}

/** Once: an open task for a person, which stands until the proof is there or waived. */
async function alarm(context: StepContext, title: string) {
  const { row, facts, now } = context;
  if (facts.overdueSince !== undefined) return { facts: {}, writes: [] };
  const body = {
    steps: [
      `See what the partner answers: keyturn rotation show ${row.credential}`,
      'Ask the partner why the certificate is still accepted; the proof goes on by itself.',
      `If it can't be had: keyturn rotation waive ${row.credential} proof --reason "…"`,
    ],
  };
  const task = {
    kind: 'look',
    owner: row.asked_by,
    title: `${title} (${row.credential})`,
    body,
    dueAt: now(),
  } as const;
  return { facts: { overdueSince: now() }, writes: [openTask(row, task, now())] };
}
