import { credentialName, partsOf } from '../../access/credential-name.ts';
import { timestamp } from '../../core/clock.ts';
import { formatDuration } from '../../core/duration.ts';
import { KeyturnError } from '../../core/errors.ts';
import type { Desk } from '../../credential/desk.ts';
import type { Issuer } from '../../issuer/issuer.ts';
import type { VersionRow } from '../../ledger/tables.ts';
import type { Environment, Profile, Swap } from '../../partner/profile.ts';
import type { ChangeFreeze } from '../due/due.ts';
import { holdersOf } from '../steps/leave/holders.ts';
import { currentOf } from '../steps/swap/promote.ts';
import { pathOf, type Step, type Way } from '../workflow/path.ts';
import { standingWarnings } from './standing.ts';
import { DEFAULT_LEAD_SECONDS, outageSeconds, type Span, type Timing, timetable, withinHours } from './timetable.ts';

/** Somebody has to do this; `who` is `keyturn`, `issuer`, `partner` or `person`. */
export interface PlannedStep {
  readonly step: Step;
  readonly who: string;
  readonly what: string;
  /** When it begins at the latest, and has ended, were the rotation begun now; see {@link timetable}. */
  readonly from: string;
  readonly until: string;
  /** How long it takes at most. */
  readonly seconds: number;
}

/** Clients are refused by the partner: from an instant in this span on. */
export interface PlannedOutage {
  readonly from: string;
  readonly until: string;
  /** Of a client that hears of no push, once the new version is current; of one that does, a second. */
  readonly seconds: number;
}

/** What the configuration says that a plan rests on. */
export interface PlanRules {
  readonly longestRequestMs: number;
  readonly freezes: readonly ChangeFreeze[];
}

/** What a rotation would do. */
export interface Plan {
  readonly credential: string;
  readonly replaces: number | null;
  readonly issuer: string;
  readonly way: Way;
  readonly steps: readonly PlannedStep[];
  /** `none`, or why clients may be refused for a while. */
  readonly outage: string;
  /** Null when none is expected. */
  readonly outageExpected: PlannedOutage | null;
  /** When the new version is current, and all of it has ended, at the latest. */
  readonly currentBy: string;
  readonly endsBy: string;
  /** Who has a lease on the version that is replaced, by principal. */
  readonly clients: readonly { readonly principal: string; readonly leases: number; readonly until: string }[];
  /** When the current certificate ends, and when the partner's hours next allow a change; null when always. */
  readonly notAfter: string | null;
  readonly hoursFrom: string | null;
  /** What will not be as one might wish. */
  readonly warnings: readonly string[];
}

/** All that a plan rests on. */
export interface Ground {
  readonly credential: string;
  readonly profile: Profile;
  readonly environment: Environment;
  readonly issuer: Issuer;
  readonly current: VersionRow | null;
  readonly way: Way;
}

/**
 * @throws KeyturnError `not_found` (no such partner or credential), `config_invalid` (the profile names an issuer that
 * there is not, or one that can't do what it asks), `no_current_version` where a partner makes the first key.
 */
export async function groundOf(desk: Desk, issuers: ReadonlyMap<string, Issuer>, name: string): Promise<Ground> {
  const credential = credentialName(name);
  const parts = partsOf(credential);
  const profile = desk.profiles().profile(parts.partner);
  const environment = desk.profiles().environment(parts.partner, parts.environment);
  const { issuance } = environment.lifecycle;
  const issuer = issuers.get(issuance.issuer);
  if (issuer === undefined) {
    throw new KeyturnError('config_invalid', `The profile of ${credential} names the issuer ${issuance.issuer}.`, {
      fix: `Add it under issuers in keyturn.yaml, or correct the profile; there are: ${[...issuers.keys()].join(', ')}.`,
    });
  }
  if (!issuer.can.keyMadeBy.includes(issuance.key)) {
    throw new KeyturnError(
      'config_invalid',
      `The issuer ${issuer.name} issues nothing for a key of the ${issuance.key}.`,
      {
        fix: 'Correct issuance.key in the profile.',
      },
    );
  }
  const current = await currentOf(desk, credential);
  if (current === null && issuance.key === 'partner') {
    throw new KeyturnError('no_current_version', `${credential} has no version to replace.`, {
      fix: `Import the first one: keyturn import ${credential} …`,
    });
  }
  const replaces = current !== null;
  const share = replaces && environment.lifecycle.swap !== null;
  const way = { keyBy: issuance.key, live: issuance.live, replaces, share };
  return { credential, profile, environment, issuer, current, way };
}

/** Dates are those of a rotation that is begun now. */
export async function planOf(desk: Desk, ground: Ground, rules: PlanRules): Promise<Plan> {
  const { credential, environment, issuer, current, way } = ground;
  const now = desk.clock.now();
  const opens = withinHours(environment.lifecycle, now);
  const path = pathOf(way);
  const timing = timingOf(desk, ground, rules);
  const spans = timetable(path, timing, now);
  const endOf = (step: Step | undefined) => (step === undefined ? undefined : spans.get(step)?.until) ?? now;
  const outage = outageOf(ground, spans, timing);
  return {
    credential,
    replaces: current?.version ?? null,
    issuer: issuer.name,
    way,
    steps: path.map((step) => ({ step, ...describe(step, ground), ...spanJson(spans.get(step)) })),
    outage: outage === null ? 'none' : outageText(outage),
    outageExpected: outage,
    currentBy: timestamp(endOf('promote')),
    endsBy: timestamp(endOf(path.at(-1))),
    clients: current === null ? [] : clientsOf((await holdersOf(desk, current, now, now)).live),
    notAfter: current === null ? null : timestamp(current.not_after),
    hoursFrom: opens > now ? timestamp(opens) : null,
    warnings: [
      ...(await standingWarnings(desk, ground)),
      ...warningsOf(ground),
      ...lateWarnings(ground, endOf('promote')),
      ...freezeWarnings(rules, now),
    ],
  };
}

function timingOf(desk: Desk, { environment, issuer, way }: Ground, { longestRequestMs }: PlanRules): Timing {
  return {
    way,
    lifecycle: environment.lifecycle,
    awaitsPerson: way.keyBy === 'partner' || issuer.can.answers === 'awaited',
    leaseSeconds: desk.leaseLimits.maximumSeconds,
    longestRequestSeconds: longestRequestMs / 1000,
  };
}

function spanJson({ from, until }: Span = { from: 0, until: 0 }) {
  return { from: timestamp(from), until: timestamp(until), seconds: Math.round((until - from) / 1000) };
}

/** The old one is dead from the moment that the new one is issued: by a person, or when our request arrives. */
function outageOf({ way }: Ground, spans: ReadonlyMap<Step, Span>, timing: Timing): PlannedOutage | null {
  if (way.live !== 1 || !way.replaces) return null;
  const { from, until } = spanJson(spans.get('await'));
  return { from, until, seconds: outageSeconds(timing) };
}

function outageText({ seconds }: PlannedOutage): string {
  return (
    'The partner accepts one certificate at a time: clients are refused from the moment that the new one is issued ' +
    'until each has moved to it. Once it is current that takes a second of a client that hears of it, and ' +
    `${formatDuration(seconds)} at most of one that only renews its lease.`
  );
}

function lateWarnings({ current, way, environment }: Ground, currentBy: number): string[] {
  const { leadTime } = environment.lifecycle.issuance;
  return [
    ...(leadTime === undefined && way.keyBy === 'partner'
      ? [`The profile names no lead time: dates are reckoned with ${formatDuration(DEFAULT_LEAD_SECONDS)}.`]
      : []),
    ...(current !== null && current.not_after < currentBy
      ? ['The current certificate may end before the new one is there: have the partner hurry.']
      : []),
  ];
}

function freezeWarnings({ freezes }: PlanRules, now: number): string[] {
  const freeze = freezes.find(({ from, to }) => from <= now && now <= to);
  if (freeze === undefined) return [];
  return [`A change freeze is on until ${timestamp(freeze.to)} (${freeze.why}): whoever begins one now breaks it.`];
}

function clientsOf(leases: readonly { readonly principal: string; readonly expires_at: number }[]): Plan['clients'] {
  const byPrincipal = Map.groupBy(leases, ({ principal }) => principal);
  return [...byPrincipal].map(([principal, own]) => ({
    principal,
    leases: own.length,
    until: timestamp(Math.max(...own.map((lease) => lease.expires_at))),
  }));
}

function describe(step: Step, { environment, issuer, way }: Ground): { who: string; what: string } {
  const { test, revocation, swap } = environment.lifecycle;
  const asks = revocation.by === 'asking';
  const words: Record<Step, { who: string; what: string }> = {
    'make-key': { who: 'keyturn', what: 'A key is made and put into its store.' },
    request: { who: 'keyturn', what: `A request for it goes to ${issuer.name}.` },
    await:
      way.keyBy === 'partner'
        ? { who: 'person', what: 'A person gets key and certificate from the partner and uploads them.' }
        : issuer.can.answers === 'awaited'
          ? { who: 'person', what: 'A person has the request signed and uploads the certificate.' }
          : { who: 'issuer', what: 'The certificate comes back and is judged.' },
    canary: {
      who: 'keyturn',
      what: test === null ? 'Nothing: the profile names no test.' : `It is tried at ${test.host}.`,
    },
    share: { who: 'keyturn', what: swap === null ? 'Nothing.' : shareText(swap) },
    promote: { who: 'keyturn', what: 'It becomes current; clients are told at once.' },
    drain: { who: 'keyturn', what: 'Until nobody uses the old one any more.' },
    revoke:
      way.live === 1
        ? { who: 'partner', what: 'The old one is dead since the new one was issued; else it is revoked now.' }
        : asks
          ? { who: 'person', what: 'A person asks the partner to revoke the old certificate.' }
          : { who: 'issuer', what: 'The old certificate is revoked.' },
    prove: {
      who: 'keyturn',
      what: test === null ? 'A person waives the proof: there is no test.' : 'The old one is seen to be refused.',
    },
    destroy: { who: 'keyturn', what: 'The old key is destroyed.' },
    restore: { who: 'keyturn', what: 'The old version becomes current again.' },
    discard: { who: 'keyturn', what: 'What was made is revoked and retired.' },
  };
  return words[step];
}

function shareText({ share, for: seconds, failures, beyond }: Swap): string {
  const first = `${percent(share)} of the client processes get it first, for ${seconds} s`;
  return `${first}. It goes back by itself when ${failures} of their requests fail, and ${percent(beyond)} more of them than of the others'.`;
}

function percent(part: number): string {
  return `${Number((part * 100).toFixed(2))} %`;
}

function warningsOf({ environment, issuer, way }: Ground): string[] {
  const { test, revocation } = environment.lifecycle;
  return [
    ...(test === null ? ['The profile names no test: neither canary nor proof will say anything.'] : []),
    ...(way.live === 1 && way.replaces
      ? ['Issuing the new certificate is the point of no return: it can neither be aborted after that nor rolled back.']
      : []),
    ...(way.keyBy === 'keyturn' && !issuer.can.finds && issuer.can.sameAnswerSeconds === 0
      ? [`${issuer.name} can't say what it has issued: after a lost answer a certificate may exist that nobody knows.`]
      : []),
    ...(revocation.by === 'issuer' && !issuer.can.keepsReason
      ? [`${issuer.name} keeps no reason of a revocation; it is on our log alone.`]
      : []),
  ];
}
