import { partsOf } from '../../access/credential-name.ts';
import { isKeyturnError, KeyturnError } from '../../core/errors.ts';
import type { Desk } from '../../credential/desk.ts';
import { refused } from '../../credential/refusal.ts';
import type { Issuer } from '../../issuer/issuer.ts';
import type { Fence } from '../../ledger/fence.ts';
import type { RotationRow } from '../../ledger/tables.ts';
import { Prober, type ProberOptions, type Probing } from '../proof/prober.ts';
import { HANDLERS } from '../steps/handlers.ts';
import { ShareTallies } from '../steps/swap/tally.ts';
import { factsOf, pauseOf } from './facts.ts';
import { decision } from './halt.ts';
import { Journal, Overtaken, type Progress, type StepOutcome } from './journal.ts';
import type { Step } from './path.ts';
import { backoff, PACE, type Pace, type StepContext, wait } from './step.ts';

export interface RotatorOptions {
  readonly desk: Desk;
  /** By name; `manual` is always among them. */
  readonly issuers: ReadonlyMap<string, Issuer>;
  readonly pace?: Partial<Pace>;
  readonly resolve?: ProberOptions['resolve'];
  /** In place of the one that asks the partner. */
  readonly prober?: Probing;
  /** Told of each point at which a crash is to leave nothing undone, as it is passed. Must not throw. */
  readonly onPoint?: (name: string) => void;
  /** Told of what no step expects. The rotation is tried again later. Must not throw. */
  readonly onError?: (row: RotationRow, error: unknown) => void;
}

/** Rotations that are gone on with at a time, and read at a time. */
const AT_ONCE = 8;
const MOST_OPEN = 10_000;
/** Steps in a row of one rotation before others have their turn. */
const MOST_STEPS = 64;

interface Waiting {
  /** What it was when it had to wait: another one is looked at at once. */
  readonly revision: number;
  /** Wall clock, milliseconds. */
  readonly until: number;
  readonly tries: number;
}

/**
 * Goes on with every open rotation, step by step, until it has to wait. Any server of the ledger may: each rotation is
 * one server's at a time, and what it finds when it comes to it is all that it knows.
 */
export class Rotator {
  readonly #options: RotatorOptions;
  readonly #pace: Pace;
  readonly #prober: Probing;
  readonly #waiting = new Map<string, Waiting>();
  readonly #tallies = new ShareTallies();
  #round: Promise<void> | null = null;
  #ended = false;

  constructor(options: RotatorOptions) {
    this.#options = options;
    this.#pace = { ...PACE, ...options.pace };
    this.#prober = options.prober ?? new Prober(options);
  }

  /** Looks after every rotation whose time has come. A call during another joins it. */
  tick(): Promise<void> {
    this.#round ??= this.#look().finally(() => {
      this.#round = null;
    });
    return this.#round;
  }

  /** When the step under way has ended. */
  async stop(): Promise<void> {
    this.#ended = true;
    await this.#round?.catch(() => undefined);
  }

  async #look(): Promise<void> {
    const { desk } = this.#options;
    const open = await desk.ledger.find('rotations', { ended_at: null }, { limit: MOST_OPEN, orderBy: 'id' });
    const ids = new Set(open.map(({ id }) => id));
    for (const id of this.#waiting.keys()) if (!ids.has(id)) this.#waiting.delete(id);
    this.#tallies.keepOnly(new Set(open.filter(({ step }) => step === 'share').map(({ id }) => id)));
    const due = open.filter((row) => row.state !== 'halted' && this.#isDue(row));
    const workers = Array.from({ length: Math.min(AT_ONCE, due.length) }, async () => {
      for (let row = due.shift(); row !== undefined && !this.#ended; row = due.shift()) await this.#advance(row);
    });
    await Promise.all(workers);
  }

  #isDue(row: RotationRow): boolean {
    const now = this.#options.desk.clock.now();
    const waiting = this.#waiting.get(row.id);
    if (waiting?.revision === row.revision) return waiting.until <= now;
    // What another server has set, or this one before it was started anew. A clock that was set back makes nobody wait.
    return (pauseOf(row)?.until ?? 0) <= now || now < row.changed_at;
  }

  async #advance({ id, credential }: RotationRow): Promise<void> {
    const { desk } = this.#options;
    await desk.ledger.withFence([`rotation ${credential}`], 'try', async (fence) => {
      for (let steps = 0; steps < MOST_STEPS && !this.#ended; steps += 1) {
        const [row] = await desk.ledger.find('rotations', { id, ended_at: null });
        if (row === undefined || row.state === 'halted' || !(await this.#step(row, fence))) return;
      }
    });
  }

  /** @returns whether it goes on at once. */
  async #step(row: RotationRow, fence: Fence): Promise<boolean> {
    const { desk } = this.#options;
    const before = this.#waiting.get(row.id);
    const tries = before?.revision === row.revision ? before.tries : (pauseOf(row)?.tries ?? 0);
    const journal = new Journal(desk.ledger, fence, () => desk.clock.now(), row);
    try {
      this.#point(`${row.step}:before`);
      const outcome = await HANDLERS[row.step as Step](this.#contextOf(row, journal, tries));
      this.#point(`${row.step}:acted`);
      await this.#record(journal, outcome, tries);
      this.#point(`${row.step}:journaled`);
      if (outcome.kind === 'wait') this.#wait(journal.row, outcome.againMs, tries);
      return outcome.kind === 'next' || outcome.kind === 'undo';
    } catch (error) {
      return this.#stuck(journal, error, tries);
    }
  }

  /** What no step expects is told, stands in the row for people to read, and is tried again. */
  async #stuck(journal: Journal, error: unknown, tries: number): Promise<false> {
    const againMs = error instanceof Overtaken ? this.#pace.lookMs : backoff({ pace: this.#pace, tries });
    if (!isExpected(error)) this.#options.onError?.(journal.row, error);
    const why = whyOf(error);
    if (why !== null) {
      // Whoever has overtaken it, or a ledger that is down, is met again at the next try.
      await this.#record(journal, wait(why, againMs), tries).catch(() => undefined);
    }
    this.#wait(journal.row, againMs, tries);
    return false;
  }

  /** What it waits for is on record once, not each time that it is looked at. */
  async #record(journal: Journal, outcome: StepOutcome, tries: number): Promise<void> {
    const same = outcome.kind === 'wait' && outcome.why === journal.row.waits_for && isNothing(outcome.progress);
    if (same) return;
    await journal.record(outcome.kind === 'halt' ? await this.#told(journal.row, outcome) : outcome, tries);
  }

  /** A person is told, in the same commit: nothing else goes on with what is halted. */
  async #told(row: RotationRow, { kind, why, progress = {} }: Halt): Promise<Halt> {
    const task = await decision(this.#options.desk, { ...row, facts: merged(row, progress) }, why);
    return { kind, why, progress: { ...progress, writes: [...(progress.writes ?? []), task] } };
  }

  /** A try that left a trace on record counts on as well. */
  #wait({ id, revision }: RotationRow, againMs: number, tries: number): void {
    this.#waiting.set(id, { revision, until: this.#options.desk.clock.now() + againMs, tries: tries + 1 });
  }

  #contextOf(row: RotationRow, journal: Journal, tries: number): StepContext {
    const { desk, issuers } = this.#options;
    const { partner, environment } = partsOf(row.credential);
    const profiles = desk.profiles();
    return {
      desk,
      row,
      facts: factsOf(row),
      profile: profiles.profile(partner),
      environment: profiles.environment(partner, environment),
      issuer: issuers.get(row.issuer) ?? null,
      prober: this.#prober,
      journal,
      pace: this.#pace,
      tallies: this.#tallies,
      now: () => desk.clock.now(),
      tries,
      point: (name) => this.#point(name),
    };
  }

  #point(name: string): void {
    this.#options.onPoint?.(name);
  }
}

type Halt = Extract<StepOutcome, { readonly kind: 'halt' }>;

/** The facts as they will be. */
function merged(row: RotationRow, { facts }: Progress): string {
  return JSON.stringify({ ...factsOf(row), ...facts });
}

/** Whether it would leave nothing behind. */
function isNothing({ facts = {}, set, writes = [], entry }: Progress = {}): boolean {
  return Object.keys(facts).length === 0 && set === undefined && writes.length === 0 && entry === undefined;
}

function isExpected(error: unknown): boolean {
  if (error instanceof Overtaken) return true;
  return isKeyturnError(error, 'ledger_unavailable') || isKeyturnError(error, 'keystore_unavailable');
}

/** For people: null for what passes by itself, and for what is not meant for them. */
function whyOf(error: unknown): string | null {
  // A freeze lasts until somebody lifts it; other checks fail because something moved on.
  if (error instanceof Overtaken) return error.rule.startsWith('hold-on-') ? refused(error.rule).message : null;
  if (!(error instanceof KeyturnError)) return null;
  return error.code === 'internal' || error.code === 'ledger_unavailable' ? null : `${error.message} Trying again.`;
}
