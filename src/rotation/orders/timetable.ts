import { type Lifecycle, nextWithin } from '../../partner/profile.ts';
import type { Step, Way } from '../workflow/path.ts';

/** When a step begins, and has ended at the latest, milliseconds since the epoch. */
export interface Span {
  readonly from: number;
  readonly until: number;
}

/** What the dates of a rotation rest on. Durations in seconds. */
export interface Timing {
  readonly way: Way;
  readonly lifecycle: Lifecycle;
  /** Whether somebody has to bring the certificate. */
  readonly awaitsPerson: boolean;
  /** Longest lease that is granted, and longest request of a client after it. */
  readonly leaseSeconds: number;
  readonly longestRequestSeconds: number;
}

/** Where the profile names no lead time: the due date of the task as well. */
export const DEFAULT_LEAD_SECONDS = 86_400;
/** At which share of its lease a client renews it at the latest (src/client/lease/cadence.ts): two thirds, and a tenth of that. */
const RENEWS_AT = (2 / 3) * 1.1;
/** Hours are looked for so far ahead, milliseconds; a partner that is closed for longer is asked then. */
const HORIZON_MS = 120 * 86_400_000;

/**
 * When each step of a way would be, were it begun at `now` and did everybody take as long as the profile allows: what a
 * person does begins within the partner's hours, a lease is as long as one can be, a revocation takes its propagation
 * time to be seen and once more to be proven. What we do ourselves counts for no time.
 */
export function timetable(path: readonly Step[], timing: Timing, now: number): Map<Step, Span> {
  const spans = new Map<Step, Span>();
  let at = now;
  for (const step of path) {
    const from = isByPerson(step, timing) ? withinHours(timing.lifecycle, at) : at;
    at = from + secondsOf(step, timing) * 1000;
    spans.set(step, { from, until: at });
  }
  return spans;
}

/** How long a client that hears of no push goes without a certificate that the partner accepts, once the new one is current. */
export function outageSeconds({ leaseSeconds }: Pick<Timing, 'leaseSeconds'>): number {
  return Math.ceil(leaseSeconds * RENEWS_AT);
}

function isByPerson(step: Step, { way, lifecycle, awaitsPerson }: Timing): boolean {
  if (step === 'await') return awaitsPerson;
  return step === 'revoke' && way.live !== 1 && lifecycle.revocation.by === 'asking';
}

function secondsOf(step: Step, timing: Timing): number {
  const { issuance, revocation, swap, test } = timing.lifecycle;
  if (step === 'canary') return test?.timeoutSeconds ?? 0;
  // As long again where nobody reports anything.
  if (step === 'share') return 2 * (swap?.for ?? 0);
  if (step === 'drain') return timing.leaseSeconds + timing.longestRequestSeconds;
  if (step === 'prove') return test === null ? 0 : 2 * revocation.propagation;
  if (!isByPerson(step, timing)) return 0;
  return step === 'await' ? (issuance.leadTime ?? DEFAULT_LEAD_SECONDS) : revocation.deadline;
}

/** The first instant from `at` on at which the partner's people are there. */
export function withinHours({ hours }: Pick<Lifecycle, 'hours'>, at: number): number {
  return hours === null ? at : nextWithin(hours, at, at + HORIZON_MS);
}
