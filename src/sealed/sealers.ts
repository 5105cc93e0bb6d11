import type { Clock } from '../core/clock.ts';
import { AnswerSealer } from './answer.ts';

export interface SealersOptions {
  readonly clock: Clock;
  /** Contexts kept; the one used longest ago goes first. Default 2,048. */
  readonly maxContexts?: number;
  /** Answers that a context is given out for. Default 65,536. */
  readonly maxUses?: number;
  /** Milliseconds that a context is given out for. Default ten minutes. */
  readonly maxAgeMs?: number;
}

/** Wall clock and monotonic clock drift apart by more than this: somebody stepped a clock, or the machine slept. */
const CLOCK_STEP_MS = 1_000;

interface Kept {
  readonly sealer: AnswerSealer;
  readonly bornAt: number;
  uses: number;
}

/**
 * The sealers of this process, one for each client process that asks: setting a context up costs twenty times what
 * sealing in it does. Only how often a context is set up is decided here. That no sequence number is used twice is the
 * sealer's own care, and each is in this process's memory alone.
 *
 * What makes a context doubtful ends them all, since a fresh one is always right: a clock that stepped is the sign of a
 * machine that was suspended, and perhaps was started again from a copy of its memory.
 */
export class AnswerSealers {
  readonly #clock: Clock;
  readonly #maxContexts: number;
  readonly #maxUses: number;
  readonly #maxAgeMs: number;
  readonly #kept = new Map<string, Kept>();
  #clockOffset: number;

  constructor({ clock, maxContexts = 2_048, maxUses = 65_536, maxAgeMs = 600_000 }: SealersOptions) {
    this.#clock = clock;
    this.#maxContexts = maxContexts;
    this.#maxUses = maxUses;
    this.#maxAgeMs = maxAgeMs;
    this.#clockOffset = clock.now() - clock.monotonic();
  }

  /**
   * A sealer for one answer (more than one caller may hold it at a time). Two principals that show the same key do not
   * share a context.
   * @throws KeyturnError `invalid_input` when `recipientPublicKey`, which is attacker-controlled, is not usable.
   */
  to(recipientPublicKey: Buffer, principal: string): AnswerSealer {
    const now = this.#clock.monotonic();
    this.#dropAllAfterStep(now);
    const key = `${recipientPublicKey.toString('latin1')} ${principal}`;
    const found = this.#kept.get(key);
    this.#kept.delete(key);
    const kept = found !== undefined && this.#isFit(found, now) ? found : this.#fresh(recipientPublicKey, now);
    kept.uses += 1;
    this.#kept.set(key, kept);
    if (this.#kept.size > this.#maxContexts) this.#kept.delete(this.#kept.keys().next().value ?? key);
    return kept.sealer;
  }

  get size(): number {
    return this.#kept.size;
  }

  #fresh(recipientPublicKey: Buffer, now: number): Kept {
    return { sealer: AnswerSealer.to(recipientPublicKey), bornAt: now, uses: 0 };
  }

  #isFit({ sealer, bornAt, uses }: Kept, now: number): boolean {
    return !sealer.exhausted && uses < this.#maxUses && now - bornAt < this.#maxAgeMs;
  }

  #dropAllAfterStep(monotonic: number): void {
    const offset = this.#clock.now() - monotonic;
    if (Math.abs(offset - this.#clockOffset) <= CLOCK_STEP_MS) return;
    this.#clockOffset = offset;
    this.#kept.clear();
  }
}
