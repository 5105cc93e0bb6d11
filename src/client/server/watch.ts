import { type Random, retryDelay } from '../lease/cadence.ts';
import type { Scheduler } from '../scheduler.ts';
import { readEvents, type StreamEvent } from './event-stream.ts';
import type { EventSource } from './exchange.ts';

/** One whose renewal a push brings forward. */
export interface Watched {
  readonly name: string;
  /** Ask now. Never rejects. */
  renew(): Promise<void>;
  /** The same, after a freeze of this credential (`version` null) or of one version. Never rejects. */
  toldFrozen(version: number | null): Promise<void>;
}

export interface LeaseWatchOptions {
  readonly servers: readonly URL[];
  readonly source: EventSource;
  readonly scheduler: Scheduler;
  readonly random: Random;
}

const KNOWN = new Set(['promoted', 'share', 'frozen', 'thawed', 'companion', 'policy', 'resync']);

/** So that the processes of a fleet that hear of a promotion together do not all ask in the same instant. */
const SPREAD_MS = 400;

/** A server that has no such stream is asked again after this long, milliseconds. */
const WITHOUT_MS = 300_000;

/**
 * Hears of changes from a Keyturn server and has the leases renewed at once instead of when they are due. It decides
 * nothing: what is pushed is a hint, and the renewal brings the truth. Without it, or while it is cut off, leases are
 * renewed as ever. Does not keep the process alive.
 */
export class LeaseWatch {
  readonly #options: LeaseWatchOptions;
  readonly #watched = new Set<Watched>();
  #lastId: string | null = null;
  #failures = 0;
  #next = 0;
  #stream: AbortController | null = null;
  #cancelStart: () => void = () => {};
  #closed = false;

  constructor(options: LeaseWatchOptions) {
    this.#options = options;
  }

  add(one: Watched): void {
    this.#watched.add(one);
    this.#restart();
  }

  remove(one: Watched): void {
    this.#watched.delete(one);
    if (this.#watched.size === 0) this.#stop();
  }

  close(): void {
    this.#closed = true;
    this.#stop();
  }

  #stop(): void {
    this.#cancelStart();
    this.#stream?.abort();
    this.#stream = null;
  }

  /** Soon: several credentials that are leased together make one stream. */
  #restart(): void {
    this.#stop();
    this.#startIn(10);
  }

  #startIn(ms: number): void {
    this.#cancelStart();
    if (!this.#closed && this.#watched.size > 0) {
      this.#cancelStart = this.#options.scheduler.after(ms, () => void this.#run());
    }
  }

  async #run(): Promise<void> {
    const { servers, random } = this.#options;
    const server = servers[this.#next % servers.length];
    if (server === undefined) return;
    const stream = new AbortController();
    this.#stream = stream;
    const outcome = await this.#read(server, stream.signal);
    if (this.#stream !== stream) return;
    this.#stream = null;
    if (outcome !== 'ended') this.#failures += 1;
    this.#next += 1;
    const fruitless = this.#failures % servers.length === 0 && outcome === 'none';
    this.#startIn(fruitless ? WITHOUT_MS : retryDelay(Math.max(1, this.#failures), random));
  }

  async #read(server: URL, signal: AbortSignal): Promise<'ended' | 'failed' | 'none'> {
    const names = [...new Set([...this.#watched].map(({ name }) => name))].toSorted();
    const query = names.map((name) => `credential=${encodeURIComponent(name)}`).join('&');
    try {
      const opened = await this.#options.source.open(server, `/v1/watch?${query}`, { signal, lastId: this.#lastId });
      if (opened === null) return 'none';
      for await (const event of readEvents(opened)) {
        if (signal.aborted) return 'ended';
        if (event !== null) this.#heard(event);
      }
      return 'ended';
    } catch {
      // A stream that is cut off is opened again; what matters is said by the renewals.
      return 'failed';
    }
  }

  #heard({ type, data, id }: StreamEvent): void {
    this.#failures = 0;
    this.#lastId = id ?? this.#lastId;
    if (!KNOWN.has(type)) return;
    const { credential, version } = subjectIn(data);
    const { scheduler, random } = this.#options;
    for (const one of this.#watched) {
      if (credential !== null && credential !== one.name) continue;
      // After a freeze nothing may go out, so nothing is waited for.
      if (type === 'frozen') void one.toldFrozen(version);
      else scheduler.after(random() * SPREAD_MS, () => void (this.#watched.has(one) ? one.renew() : undefined));
    }
  }
}

/** Whose event it is; null for all, and for what can't be read: to ask once too often harms nobody. */
function subjectIn(data: string): { readonly credential: string | null; readonly version: number | null } {
  let value: unknown = null;
  try {
    value = JSON.parse(data);
  } catch {
    // As if it said nothing.
  }
  const { credential, version }: Record<string, unknown> = Object.fromEntries(Object.entries(value ?? {}));
  return {
    credential: typeof credential === 'string' ? credential : null,
    version: typeof version === 'number' ? version : null,
  };
}
