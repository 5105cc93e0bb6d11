import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';

/** How long one event may take to reach everybody, milliseconds. */
const LIMIT_MS = 30_000;
/** Handshakes under way at a time. */
const JOINING = 20;

/** Many who watch, each over a TLS connection of its own, and nothing but its octets. */
export class Crowd {
  readonly #responses: IncomingMessage[] = [];
  readonly #arrivals = new Map<IncomingMessage, number>();
  #wanted = '';
  #all = Promise.withResolvers<void>();

  get size(): number {
    return this.#responses.length;
  }

  /** `count` more watchers, spread over the servers. */
  async join(urls: readonly string[], count: number, { ca, token }: { ca: string; token: string }): Promise<void> {
    let begun = 0;
    const lane = async (): Promise<void> => {
      while (begun < count) {
        const url = new URL('/v1/watch?credential=lean/sandbox', urls[begun % urls.length]);
        begun += 1;
        const sent = request(url, { ca, agent: false, headers: { authorization: `Bearer ${token}` } });
        sent.end();
        const [response]: IncomingMessage[] = await once(sent, 'response');
        if (response?.statusCode !== 200) throw new Error(`a watch was answered with ${response?.statusCode}`);
        response.on('data', (chunk: Buffer) => this.#heard(response, chunk));
        response.on('error', () => undefined);
        await once(response, 'data');
        this.#responses.push(response);
      }
    };
    await Promise.all(Array.from({ length: JOINING }, lane));
  }

  /**
   * Delays from the call's answer until each watcher was told, milliseconds; negative for whoever heard before
   * the caller did. @throws Error when not all were told in time.
   */
  async delays(type: string, call: () => Promise<unknown>): Promise<number[]> {
    this.#arrivals.clear();
    this.#all = Promise.withResolvers();
    this.#wanted = `event: ${type}\n`;
    await call();
    const answered = performance.now();
    const timer = setTimeout(() => this.#all.reject(new Error(`${this.#arrivals.size} were told`)), LIMIT_MS);
    await this.#all.promise.finally(() => clearTimeout(timer));
    return [...this.#arrivals.values()].map((at) => at - answered);
  }

  leave(): void {
    for (const response of this.#responses) response.destroy();
  }

  /** A freeze is told twice by the server that took it, at once and when it stands on the log: the first counts. */
  #heard(watcher: IncomingMessage, chunk: Buffer): void {
    if (this.#wanted === '' || !chunk.includes(this.#wanted) || this.#arrivals.has(watcher)) return;
    this.#arrivals.set(watcher, performance.now());
    if (this.#arrivals.size === this.#responses.length) this.#all.resolve();
  }
}
