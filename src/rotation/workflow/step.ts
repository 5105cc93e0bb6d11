import type { Desk } from '../../credential/desk.ts';
import type { Issuer } from '../../issuer/issuer.ts';
import type { RotationRow } from '../../ledger/tables.ts';
import type { Environment, Profile } from '../../partner/profile.ts';
import type { Probing } from '../proof/prober.ts';
import type { ShareTallies } from '../steps/swap/tally.ts';
import type { Facts } from './facts.ts';
import type { Journal, StepOutcome } from './journal.ts';
import type { Step } from './path.ts';

/** How long things take, milliseconds. */
export interface Pace {
  /** Longest request of a client: what one may still do on a version after its last lease. Default 30,000. */
  readonly longestRequestMs: number;
  /** Between two looks at what others do. Default 1,000. */
  readonly lookMs: number;
  /** Between two tries of what failed: the first, and the longest. Defaults 2,000 and 300,000. */
  readonly retryMs: number;
  readonly retryMostMs: number;
  /** How often a canary without a clear answer is tried before a person is asked. Default 5. */
  readonly canaryTries: number;
  /** How long the old certificate is shown before its revocation, until there is a clear answer. Default 3,600,000. */
  readonly controlMs: number;
  /** Between two rounds of a proof that is not there, at most: see {@link proofBackoff}. Default 3,600,000. */
  readonly proofMostMs: number;
  /** How long after an abort a request may still lead to a certificate, which is looked for. Default 300,000. */
  readonly lateAnswerMs: number;
  /** How long an issuer that is not configured is waited for before a person does its part. Default 3,600,000. */
  readonly lostIssuerMs: number;
}

export const PACE: Pace = {
  longestRequestMs: 30_000,
  lookMs: 1_000,
  retryMs: 2_000,
  retryMostMs: 300_000,
  canaryTries: 5,
  controlMs: 3_600_000,
  proofMostMs: 3_600_000,
  lateAnswerMs: 300_000,
  lostIssuerMs: 3_600_000,
};

/** What a step works with. */
export interface StepContext {
  readonly desk: Desk;
  readonly row: RotationRow;
  readonly facts: Facts;
  readonly profile: Profile;
  readonly environment: Environment;
  /** Null where this server's configuration has it not: see `issuer.ts`. */
  readonly issuer: Issuer | null;
  readonly prober: Probing;
  readonly journal: Journal;
  readonly pace: Pace;
  readonly tallies: ShareTallies;
  readonly now: () => number;
  /** How often this step was tried without an end, from 0, by any server as far as it is on record. */
  readonly tries: number;
  /** A point that a crash is tried at. Between an act and its record. */
  readonly point: (name: string) => void;
}

export type StepHandler = (context: StepContext) => Promise<StepOutcome>;

export function next(progress: NonNullable<StepOutcome['progress']> = {}): StepOutcome {
  return { kind: 'next', progress };
}

export function wait(why: string, againMs: number, progress?: StepOutcome['progress']): StepOutcome {
  return { kind: 'wait', why, againMs, ...(progress === undefined ? {} : { progress }) };
}

export function halt(why: string, progress?: StepOutcome['progress']): StepOutcome {
  return { kind: 'halt', why, ...(progress === undefined ? {} : { progress }) };
}

/** Goes back by itself, along `path`. */
export function undo(why: string, path: readonly Step[], progress: NonNullable<StepOutcome['progress']>): StepOutcome {
  return { kind: 'undo', why, path, progress };
}

/** Later each time, so that what is down is not hammered. */
export function backoff({ pace, tries }: Pick<StepContext, 'pace' | 'tries'>): number {
  return Math.min(pace.retryMostMs, pace.retryMs * 2 ** Math.min(tries, 20));
}

/** Share of the time that something was tried in vain, after which it is tried again. */
const PATIENCE = 1 / 12;

/**
 * As {@link backoff}, and the later the longer it is in vain, up to an hour: each round shows two keys, which is on the log
 * each time. A day of it is some 200 entries, each further day 72.
 */
export function proofBackoff(context: Pick<StepContext, 'pace' | 'tries' | 'now'>, since: number): number {
  const patient = Math.min(context.pace.proofMostMs, (context.now() - since) * PATIENCE);
  return Math.max(backoff(context), Math.round(patient));
}

/** The version that is on its way out: the old one, or, on the way back, the new one. */
export function leaving(row: RotationRow): number | null {
  return row.state === 'undoing' ? row.version : row.replaces;
}
