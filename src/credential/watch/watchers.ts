import { KeyturnError } from '../../core/errors.ts';
import type { HoldTarget } from '../../ledger/tables.ts';
import type { Caller } from '../caller.ts';
import type { Desk } from '../desk.ts';
import { backlog, resync } from './backlog.ts';
import { frozenHere, type WatchEvent } from './event.ts';
import { Watcher, type WatchWish } from './watcher.ts';

export interface WatchersOptions {
  /** Whether a token still stands, as far as this process knows. */
  readonly stands: (token: string) => boolean;
  /** Watchers at a time, all together. Default 10,000. */
  readonly most?: number;
  /** Watchers of one principal at a time. Default 2,000. */
  readonly mostOfOne?: number;
}

/** News is gathered for so long before it is read, milliseconds: a busy log is not read entry by entry. */
const GATHER_MS = 20;
/** After a ledger that did not answer: there may be no further news for hours, milliseconds. */
const AGAIN_MS = 1_000;

/**
 * Who waits for news of credentials. All share one reading of the log: an idle watcher costs its connection alone, and
 * none at all when nothing is recorded. A push is a hint that comes sooner than the renewal would; it decides nothing.
 */
export class Watchers {
  readonly #desk: Desk;
  readonly #stands: (token: string) => boolean;
  readonly #most: number;
  readonly #mostOfOne: number;
  readonly #watchers = new Set<Watcher>();
  readonly #ofPrincipal = new Map<string, number>();
  /** Entries below it were read, or were there before anybody watched. */
  #read: number;
  #size: number;
  #gathering: NodeJS.Timeout | null = null;
  #reading = false;
  #closed = false;

  constructor(desk: Desk, { stands, most = 10_000, mostOfOne = 2_000 }: WatchersOptions) {
    this.#desk = desk;
    this.#stands = stands;
    this.#most = most;
    this.#mostOfOne = mostOfOne;
    this.#size = desk.ledger.status().size;
    this.#read = this.#size;
  }

  get count(): number {
    return this.#watchers.size;
  }

  /** The log has this many entries now. Cheap, and safe to be called late, twice or out of order. */
  news(size: number): void {
    if (size <= this.#size) return;
    this.#size = size;
    if (this.#watchers.size === 0) this.#read = size;
    else this.#gather();
  }

  /** A freeze that this process was told of: told on at once, whether or not the ledger takes it. */
  frozen(target: HoldTarget, subject: string): void {
    this.#tell([frozenHere(target, subject)]);
  }

  /**
   * Watches until the caller lets go, its token ends, or it falls behind. `wish.after` is the index of the last entry
   * that it was told of; what came since is told first.
   * @throws KeyturnError `rate_limited` when too many watch.
   */
  watch(caller: Caller, wish: WatchWish): Watcher {
    const { id } = caller.principal;
    const own = this.#ofPrincipal.get(id) ?? 0;
    if (this.#watchers.size >= this.#most || own >= this.#mostOfOne || this.#closed) throw tooMany();
    const watcher = new Watcher(this.#desk, caller, wish, {
      stands: this.#stands,
      left: () => this.#left(watcher),
    });
    this.#watchers.add(watcher);
    this.#ofPrincipal.set(id, own + 1);
    void this.#catchUp(watcher);
    return watcher;
  }

  /** Ends every watch, so that a server that stops waits for none. */
  close(): void {
    this.#closed = true;
    if (this.#gathering !== null) clearTimeout(this.#gathering);
    for (const watcher of this.#watchers) watcher.end();
  }

  async #catchUp(watcher: Watcher): Promise<void> {
    const { ledger } = this.#desk;
    try {
      // It was told of entries that are not here: the log was restored, or this server is behind another.
      if ((watcher.after ?? -1) > watcher.known) watcher.begin([resync(null)]);
      else watcher.begin(await backlog(ledger, watcher.known + 1, ledger.status().size));
    } catch {
      // The ledger does not answer; whoever was cut off comes again with the same number.
      watcher.end();
    }
  }

  #gather(ms = GATHER_MS): void {
    if (this.#gathering !== null || this.#reading || this.#closed) return;
    this.#gathering = setTimeout(() => {
      this.#gathering = null;
      void this.#readOn();
    }, ms);
  }

  async #readOn(): Promise<void> {
    this.#reading = true;
    const size = this.#size;
    try {
      this.#tell(await backlog(this.#desk.ledger, this.#read, size));
      this.#read = size;
    } catch {
      // The same entries are read again.
    }
    this.#reading = false;
    if (this.#read < size) this.#gather(AGAIN_MS);
    else if (this.#size > size) this.#gather();
  }

  #tell(events: readonly WatchEvent[]): void {
    if (events.length === 0) return;
    for (const watcher of this.#watchers) watcher.tell(events);
  }

  #left(watcher: Watcher): void {
    if (!this.#watchers.delete(watcher)) return;
    const { id } = watcher.caller.principal;
    const left = (this.#ofPrincipal.get(id) ?? 1) - 1;
    if (left > 0) this.#ofPrincipal.set(id, left);
    else this.#ofPrincipal.delete(id);
  }
}

function tooMany(): KeyturnError {
  return new KeyturnError('rate_limited', 'Too many watch already.', {
    fix: 'Close watches that nobody needs; without one a client hears of changes when it renews.',
  });
}
