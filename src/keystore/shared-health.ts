import type { KeyStoreHealth } from './driver.ts';

interface Probe {
  readonly answer: Promise<KeyStoreHealth>;
  /** By performance.now(), with what was answered; null while it runs. */
  ended: { readonly at: number; readonly health: KeyStoreHealth } | null;
}

/** As long as what was said last stands in for what is not said yet, milliseconds. */
const LAST_GOOD_FOR_MS = 60_000;

/** Many who ask at once share one probe. */
export class SharedHealth {
  readonly #ask: () => Promise<KeyStoreHealth>;
  readonly #told: (health: KeyStoreHealth) => void;
  #probe: Probe | null = null;
  /** The newest probe that has ended. */
  #last: Probe['ended'] = null;

  /** `ask` never rejects. `told` hears of each answer once. */
  constructor(ask: () => Promise<KeyStoreHealth>, told: (health: KeyStoreHealth) => void) {
    this.#ask = ask;
    this.#told = told;
  }

  /** An answer so old is taken too. */
  now(maxAgeMs: number): Promise<KeyStoreHealth> {
    const running = this.#probe;
    if (running !== null && (running.ended === null || performance.now() - running.ended.at < maxAgeMs)) {
      return running.answer;
    }
    const probe: Probe = { answer: this.#ask(), ended: null };
    void probe.answer.then((health) => {
      probe.ended = { at: performance.now(), health };
      this.#last = probe.ended;
      this.#told(health);
    });
    this.#probe = probe;
    return probe.answer;
  }

  /** In at most so many milliseconds; null when nothing was said by then, nor, if that counts, lately. The probe goes on. */
  async within(ms: number, maxAgeMs: number, lastWord: boolean): Promise<KeyStoreHealth | null> {
    const { promise: late, resolve } = Promise.withResolvers<null>();
    const timer = setTimeout(resolve, ms, null);
    const health = await Promise.race([this.now(maxAgeMs), late]);
    clearTimeout(timer);
    if (health !== null || this.#last === null || !lastWord) return health;
    return performance.now() - this.#last.at <= LAST_GOOD_FOR_MS ? this.#last.health : null;
  }
}
