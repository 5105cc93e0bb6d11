import { timestamp } from '../../core/clock.ts';
import { isKeyturnError, KeyturnError } from '../../core/errors.ts';
import type { Desk } from '../../credential/desk.ts';
import { ownerNotHeld } from '../../credential/hold/checks.ts';
import { versionSubject } from '../../credential/hold/hold-switch.ts';
import type { Issuer } from '../../issuer/issuer.ts';
import type { Fence } from '../../ledger/fence.ts';
import { groundOf } from '../orders/plan.ts';
import { startRotation } from '../orders/start.ts';
import type { Dated, DueBook } from './book.ts';
import type { DueFacts } from './check.ts';
import { beginsNow, type DueOptions } from './due.ts';
import { lifetimeLeft } from './expiry-warning.ts';
import { restsUntil } from './rest.ts';

/** What `rotation` in the configuration says of when; durations in seconds. */
export interface DuePlan extends DueOptions {
  /** Whether rotations begin by themselves. */
  readonly automatic: boolean;
  /** How long a credential is left alone after a rotation of it was aborted or rolled back. */
  readonly coolDown: number;
}

export interface StarterOptions {
  readonly desk: Desk;
  readonly issuers: ReadonlyMap<string, Issuer>;
  readonly book: DueBook;
  readonly plan: DuePlan;
  /** A rotation that is due can't begin: told once, until its reason is another one. Must not throw. */
  readonly onFailure?: (credential: string, error: unknown) => void;
}

/** What the last round saw. Counts of credentials. */
export interface DueSummary {
  /** A rotation that should have begun can't. */
  readonly failing: number;
  /** Past the latest time to begin, with none under way. */
  readonly late: number;
  /** That fall due within so many days from the round on, those that are due already among them. */
  readonly within: Readonly<Record<(typeof SPANS_DAYS)[number], number>>;
  /** Current versions with the least of their lifetime left, at most 1,000. */
  readonly nearest: readonly NearVersion[];
}

/** A current version, by how near its end is. */
export type NearVersion = Pick<DueFacts, 'credential' | 'version' | 'notBefore' | 'notAfter'>;

export const SPANS_DAYS = [1, 7, 30, 90] as const;
const NOTHING: DueSummary = { failing: 0, late: 0, within: { 1: 0, 7: 0, 30: 0, 90: 0 }, nearest: [] };
const DAY_MS = 86_400_000;
/** Rotations begun in a round: what falls due in masses begins one after the other, the most urgent first. */
const MOST_STARTS = 100;
const MOST_OPEN = 10_000;
/** What can't begin is tried again so much later, milliseconds. */
const TRY_AGAIN_MS = 10 * 60_000;

/** Begins rotations when they are due. Every server of the ledger looks; one at a time begins any. */
export class DueStarter {
  readonly #options: StarterOptions;
  /** Credentials that are left alone for now: until when. */
  readonly #resting = new Map<string, number>();
  /** Credentials whose rotation can't begin, with the code that says why. */
  readonly #failing = new Map<string, string>();
  /** Null before the first look. */
  #summary: DueSummary | null = null;
  #round: Promise<number> | null = null;
  #survey: Promise<Dated[]> | null = null;

  constructor(options: StarterOptions) {
    this.#options = options;
  }

  /** As of the last round; looks itself when there was none yet. @throws KeyturnError `ledger_unavailable`. */
  async summary(): Promise<DueSummary> {
    if (this.#summary === null) await this.#candidates();
    return { ...(this.#summary ?? NOTHING), failing: this.#failing.size };
  }

  /** @returns how many have begun. A call during another joins it. @throws KeyturnError `ledger_unavailable`. */
  tick(): Promise<number> {
    this.#round ??= this.#look().finally(() => {
      this.#round = null;
    });
    return this.#round;
  }

  /** When the round under way has ended, which is soon. */
  async stop(): Promise<void> {
    this.#options.book.close();
    await this.#round?.catch(() => undefined);
  }

  async #look(): Promise<number> {
    const { desk, plan } = this.#options;
    const candidates = await this.#candidates();
    if (!plan.automatic || candidates.length === 0) return 0;
    const round = await desk.ledger.withFence(['rotations-due'], 'try', (fence) => this.#startAll(candidates, fence));
    return round.ran ? round.value : 0;
  }

  /** Those whose time has come, the most urgent first; and what is to come is counted. A call during another joins it. */
  #candidates(): Promise<Dated[]> {
    this.#survey ??= this.#goThrough().finally(() => {
      this.#survey = null;
    });
    return this.#survey;
  }

  async #goThrough(): Promise<Dated[]> {
    const { desk, book, plan } = this.#options;
    await book.refresh();
    const open = await openRotations(desk);
    const now = desk.clock.now();
    const nearest = new Nearest(now);
    const candidates: Dated[] = [];
    const within = { 1: 0, 7: 0, 30: 0, 90: 0 };
    let late = 0;
    for await (const dated of book.dues(now)) {
      const { facts, due } = dated;
      nearest.offer(facts);
      for (const days of SPANS_DAYS) if (due.at <= now + days * DAY_MS) within[days] += 1;
      if (open.has(facts.credential)) continue;
      if (due.latest < now) late += 1;
      if (due.since <= now && beginsNow(due, facts, now, plan)) candidates.push(dated);
    }
    const wanted = new Set(candidates.map(({ due }) => due.credential));
    for (const name of this.#failing.keys()) if (!wanted.has(name)) this.#failing.delete(name);
    this.#summary = { failing: this.#failing.size, late, within, nearest: nearest.items };
    return candidates.toSorted((a, b) => a.due.latest - b.due.latest);
  }

  async #startAll(candidates: readonly Dated[], fence: Fence): Promise<number> {
    const { desk } = this.#options;
    let started = 0;
    for (const candidate of candidates) {
      if (started >= MOST_STARTS) break;
      const { credential } = candidate.due;
      if ((this.#resting.get(credential) ?? 0) > desk.clock.now()) continue;
      try {
        if (await this.#start(candidate, fence)) started += 1;
        this.#failing.delete(credential);
      } catch (error) {
        // Of the ledger's: nothing else would go better.
        if (isKeyturnError(error, 'ledger_unavailable')) throw error;
        this.#failed(credential, error);
      }
    }
    return started;
  }

  async #start({ due, facts }: Dated, fence: Fence): Promise<boolean> {
    const { desk, issuers, plan } = this.#options;
    const { credential, version, reason, since, at, latest } = due;
    // Whoever froze it decides what becomes of it.
    const frozen = desk.holds.isHeld('credential', credential);
    if (frozen || desk.holds.isHeld('version', versionSubject(credential, version))) return false;
    const newest = { orderBy: 'created_at', descending: true, limit: 1 } as const;
    const [last] = await desk.ledger.find('rotations', { credential }, newest);
    const until = restsUntil(facts, reason, last ?? null, plan.coolDown * 1000);
    if (until > desk.clock.now()) {
      this.#resting.set(credential, until);
      return false;
    }
    this.#resting.delete(credential);
    const ground = await groundOf(desk, issuers, credential);
    if (ground.current?.version !== version) return false;
    const told = { reason, since: timestamp(since), at: timestamp(at), latest: timestamp(latest) };
    const checks = [...fence.checks, ...ownerNotHeld({ credential, version })];
    try {
      await startRotation(desk, { actor: 'system', checks, facts: { due: told } }, ground, { reason });
      return true;
    } catch (error) {
      // Somebody else has begun one, or frozen it, at this moment.
      if (isKeyturnError(error, 'conflict') || isKeyturnError(error, 'held')) return false;
      throw error;
    }
  }

  #failed(credential: string, error: unknown): void {
    const { desk, onFailure } = this.#options;
    this.#resting.set(credential, desk.clock.now() + TRY_AGAIN_MS);
    const code = error instanceof KeyturnError ? error.code : 'internal';
    if (this.#failing.get(credential) === code) return;
    this.#failing.set(credential, code);
    onFailure?.(credential, error);
  }
}

/** Those with the least of their lifetime left, however many are offered. */
class Nearest {
  static readonly MOST = 1_000;
  readonly #now: number;
  #held: [left: number, version: NearVersion][] = [];
  #bound = Number.POSITIVE_INFINITY;

  constructor(now: number) {
    this.#now = now;
  }

  offer(version: NearVersion): void {
    const left = lifetimeLeft(version, this.#now);
    if (left >= this.#bound) return;
    this.#held.push([left, version]);
    if (this.#held.length >= 2 * Nearest.MOST) this.#cut();
  }

  get items(): NearVersion[] {
    this.#cut();
    return this.#held.map(([, version]) => version);
  }

  #cut(): void {
    this.#held = this.#held.toSorted(([a], [b]) => a - b).slice(0, Nearest.MOST);
    if (this.#held.length === Nearest.MOST) this.#bound = this.#held.at(-1)?.[0] ?? this.#bound;
  }
}

async function openRotations({ ledger }: Desk): Promise<Set<string>> {
  const rows = await ledger.find('rotations', { ended_at: null }, { limit: MOST_OPEN });
  return new Set(rows.map(({ credential }) => credential));
}
