import { setTimeout as pause } from 'node:timers/promises';
import { type Query, type Session, within } from './connection/session.ts';

/** A lost notification costs at most this, milliseconds. */
const LOOK_EVERY_MS = 2000;
const RECONNECT_MS = 500;

/** The channel on which commits of this schema are announced. */
export function channelOf(schema: string): string {
  return `keyturn_${schema}`;
}

/** Part of the commit: sent when, and only when, it is durable. */
export function announce(schema: string, size: number): Query {
  return { sql: 'SELECT pg_notify($1, $2)', values: [channelOf(schema), String(size)] };
}

export interface AnnouncementsOptions {
  readonly schema: string;
  readonly connect: () => Promise<Session>;
  /** A connection that is silent for longer than this when it is asked is given up for another, milliseconds. */
  readonly limitMs: number;
  /** The tree has this size, or had it. */
  readonly onSize: (size: number) => void;
}

/**
 * Hears of the commits of all replicas. A notification is no more than the hint to look: anybody who may connect can
 * send one, and one may be lost, so the head's row is read after each, after every connect, and now and then.
 */
export class Announcements {
  readonly #options: AnnouncementsOptions;
  readonly #closed = new AbortController();
  readonly #listening: Promise<void>;
  #session: Session | null = null;
  #looking = false;
  #again = false;

  constructor(options: AnnouncementsOptions) {
    this.#options = options;
    this.#listening = this.#listen();
  }

  async close(): Promise<void> {
    this.#closed.abort();
    this.#session?.destroy();
    await this.#listening;
  }

  async #listen(): Promise<void> {
    while (!this.#closed.signal.aborted) {
      await this.#once().catch(() => undefined);
      this.#session?.destroy();
      await this.#pause(RECONNECT_MS);
    }
  }

  /** Until the connection is lost. */
  async #once(): Promise<void> {
    const session = await this.#options.connect();
    this.#session = session;
    if (this.#closed.signal.aborted) return;
    session.onNotification(() => void this.#look(session));
    const { schema, limitMs } = this.#options;
    await within(session, limitMs, () => session.run({ sql: `LISTEN ${channelOf(schema)}` }));
    while (session.isOpen && !this.#closed.signal.aborted) {
      await this.#look(session);
      await this.#pause(LOOK_EVERY_MS);
    }
  }

  /** One look at a time; what is announced meanwhile is looked for once more. */
  async #look(session: Session): Promise<void> {
    this.#again = true;
    if (this.#looking) return;
    this.#looking = true;
    try {
      while (this.#again) {
        this.#again = false;
        const { onSize, limitMs } = this.#options;
        const asked = () => session.run({ sql: 'SELECT size FROM head WHERE id = 1' });
        const { rows } = await within(session, limitMs, asked);
        onSize(Number(rows[0]?.['size'] ?? 0));
      }
    } catch {
      session.destroy();
    } finally {
      this.#looking = false;
    }
  }

  #pause(ms: number): Promise<void> {
    const { signal } = this.#closed;
    return pause(ms, undefined, { signal, ref: false }).catch(() => undefined);
  }
}
