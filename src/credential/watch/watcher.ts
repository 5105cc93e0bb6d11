import type { Caller } from '../caller.ts';
import type { Desk } from '../desk.ts';
import type { WatchEvent } from './event.ts';

export interface WatchWish {
  /** Names of the credentials that it wants to hear of; null for all that it may lease. */
  readonly credentials: ReadonlySet<string> | null;
  /** Index of the last entry that it was told of; null when it begins anew. */
  readonly after: number | null;
}

export interface WatcherTies {
  /** Whether a token still stands, as far as this process knows. */
  readonly stands: (token: string) => boolean;
  /** Called once, when the watch ends. */
  readonly left: () => void;
}

/** Events that wait for a watcher that does not read; past that it is let go, and comes again from where it was. */
const MOST_WAITING = 256;

/** How often a quiet watcher gets a sign of life, and its token is looked at again, milliseconds. */
export const HEARTBEAT_MS = 15_000;

/** One who waits. Iterating gives events, and null as a sign of life; ends when the watch does. */
export class Watcher implements AsyncIterable<WatchEvent | null> {
  readonly caller: Caller;
  readonly #desk: Desk;
  readonly #wish: WatchWish;
  readonly #ties: WatcherTies;
  #waiting: (WatchEvent | null)[] = [];
  /** What came while what was missed is read; null once it was. */
  #early: WatchEvent[] | null = [];
  /** Index of the newest entry that it knows of: nothing is told twice, however news and what was missed overlap. */
  #known: number;
  #ended = false;
  #wake: () => void = () => {};

  constructor(desk: Desk, caller: Caller, wish: WatchWish, ties: WatcherTies) {
    this.#desk = desk;
    this.caller = caller;
    const newest = desk.ledger.status().size - 1;
    this.#known = Math.min(wish.after ?? newest, newest);
    this.#wish = wish;
    this.#ties = ties;
  }

  /** As it was asked for. */
  get after(): number | null {
    return this.#wish.after;
  }

  /** Index of the newest entry that it was told of, or that was there before; -1 for none. */
  get known(): number {
    return this.#known;
  }

  /** Tells first what was missed, then what came meanwhile. */
  begin(missed: readonly WatchEvent[]): void {
    const early = this.#early ?? [];
    this.#early = null;
    this.tell([...missed, ...early]);
  }

  tell(events: readonly WatchEvent[]): void {
    if (this.#early !== null) this.#early.push(...events);
    else for (const event of events) if (this.#isNew(event) && this.#concerns(event)) this.#push(event);
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#ties.left();
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<WatchEvent | null> {
    try {
      while (!this.#ended && this.#mayStay()) {
        const events = this.#waiting;
        this.#waiting = [];
        yield* events;
        if (!this.#ended && this.#waiting.length === 0) await this.#more();
      }
    } finally {
      this.end();
    }
  }

  /** Until there is something to tell; after a while a sign of life is. */
  #more(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      this.#waiting.push(null);
      resolve();
    }, HEARTBEAT_MS);
    this.#wake = () => {
      clearTimeout(timer);
      resolve();
    };
    return promise;
  }

  #push(event: WatchEvent): void {
    if (this.#waiting.length >= MOST_WAITING) {
      this.end();
      return;
    }
    this.#waiting.push(event);
    this.#wake();
  }

  #isNew({ index }: WatchEvent): boolean {
    if (index === null) return true;
    if (index <= this.#known) return false;
    this.#known = index;
    return true;
  }

  #concerns({ credential, principal, host }: WatchEvent): boolean {
    if (host !== null && host !== this.caller.host) return false;
    if (principal !== null && principal !== this.caller.principal.id) return false;
    if (credential === null) return true;
    if (this.#wish.credentials !== null && !this.#wish.credentials.has(credential)) return false;
    const now = this.#desk.clock.now();
    const asked = { principal: this.caller.principal, permission: 'credential:lease', credential, now } as const;
    return this.#desk.policy().decide(asked).allow;
  }

  /** A token that has ended or was revoked watches no longer. */
  #mayStay(): boolean {
    return this.caller.token.expiresAt > this.#desk.clock.now() && this.#ties.stands(this.caller.token.id);
  }
}
