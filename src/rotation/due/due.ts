import { createHash } from 'node:crypto';
import { nextWithin } from '../../partner/profile.ts';
import {
  DUE_CHECKS,
  DUE_REASONS,
  type DueFacts,
  type DueReason,
  type DueRules,
  isPrompt,
  isUrgent,
  leadBeforeEndMs,
} from './check.ts';

/** When a version is to be replaced, and why. */
export interface Due {
  readonly credential: string;
  readonly version: number;
  readonly reason: DueReason;
  /** From when the reason holds, milliseconds since the epoch. */
  readonly since: number;
  /** When the rotation begins: after the spread, at a time that the partner's hours and the change freezes allow. */
  readonly at: number;
  /** When it begins at the latest, hours and freezes or not. */
  readonly latest: number;
}

/** A time in which nothing is changed unless it must be. Both ends included. */
export interface ChangeFreeze {
  readonly from: number;
  readonly to: number;
  readonly why: string;
}

export interface DueOptions {
  readonly rules: DueRules;
  readonly freezes: readonly ChangeFreeze[];
}

/**
 * The first reason of the chain that holds at `now`; null when none does.
 */
export function dueNow(facts: DueFacts, now: number, options: DueOptions): Due | null {
  for (const reason of DUE_REASONS) {
    const since = DUE_CHECKS[reason](facts, options.rules);
    if (since !== null && since <= now) return dueFor(facts, reason, since, options);
  }
  return null;
}

/** The reason that will hold first, from now on; of several that hold already, the worst. Every version has one: it ends. */
export function nextDue(facts: DueFacts, now: number, options: DueOptions): Due {
  const holding = dueNow(facts, now, options);
  if (holding !== null) return holding;
  let [reason, since]: [DueReason, number] = ['expiry', facts.notAfter];
  for (const other of DUE_REASONS) {
    const from = DUE_CHECKS[other](facts, options.rules);
    if (from !== null && from < since) [reason, since] = [other, from];
  }
  return dueFor(facts, reason, since, options);
}

/** When {@link nextDue} may give another answer, the same facts given: as the next reason begins to hold. */
export function nextChange(facts: DueFacts, now: number, { rules }: DueOptions): number {
  const begins = DUE_REASONS.map((reason) => DUE_CHECKS[reason](facts, rules) ?? 0);
  return Math.min(...begins.filter((since) => since > now), Number.POSITIVE_INFINITY);
}

/** Whether it begins at `now`: its time has come, and hours and freezes allow it at this very moment, or can't any more. */
export function beginsNow(due: Due, facts: DueFacts, now: number, { freezes }: Pick<DueOptions, 'freezes'>): boolean {
  if (now < due.at) return false;
  return isUrgent(due.reason) || now >= due.latest || allowedFrom(facts, now, due.latest, freezes) <= now;
}

/** Everything that falls due until then, in the order in which it begins. */
export function forecast(all: readonly DueFacts[], now: number, until: number, options: DueOptions): Due[] {
  return all
    .map((facts) => nextDue(facts, now, options))
    .filter(({ at }) => at <= until)
    .toSorted((a, b) => a.at - b.at || (a.credential < b.credential ? -1 : 1));
}

function dueFor(facts: DueFacts, reason: DueReason, since: number, { rules, freezes }: DueOptions): Due {
  const { credential, version } = facts;
  if (isUrgent(reason)) return { credential, version, reason, since, at: since, latest: since };
  const beforeEnd = Math.max(since, facts.notAfter - leadBeforeEndMs(facts, rules));
  if (isPrompt(reason)) {
    const latest = Math.min(beforeEnd, since + rules.margin * 1000);
    return { credential, version, reason, since, at: allowedFrom(facts, since, latest, freezes), latest };
  }
  const latest = beforeEnd;
  const wished = Math.min(latest, since + spreadMs(facts, since, latest));
  return { credential, version, reason, since, at: allowedFrom(facts, wished, latest, freezes), latest };
}

/** Share of the time left over which rotations that fall due together are spread. */
const SPREAD_SHARE = 0.1;
const MAX_SPREAD_MS = 3 * 86_400_000;

/**
 * Many certificates are made on one day, so they fall due on one day. Each goes at an instant of its own, told by its
 * name and version: the same on every replica and after every restart, and even over all names.
 */
function spreadMs({ credential, version }: DueFacts, since: number, latest: number): number {
  const digest = createHash('sha256').update(`${credential}@${version}`).digest();
  const share = digest.readUInt32BE(0) / 2 ** 32;
  return Math.floor(share * Math.min(MAX_SPREAD_MS, (latest - since) * SPREAD_SHARE));
}

/** The first instant that is in the partner's hours and in no change freeze; `latest` when there is none before it. */
function allowedFrom(
  { lifecycle: { hours } }: DueFacts,
  wished: number,
  latest: number,
  freezes: readonly ChangeFreeze[],
): number {
  let at = wished;
  while (at < latest) {
    const open = hours === null ? at : nextWithin(hours, at, latest);
    const freeze = freezes.find(({ from, to }) => from <= open && open <= to);
    if (freeze === undefined) return open;
    at = freeze.to + 1;
  }
  return latest;
}
