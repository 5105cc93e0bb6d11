import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { readEvents, type StreamEvent } from '../../src/client/server/event-stream.ts';

/** A watch over the wire, with what it has heard. */
export class Watching implements AsyncDisposable {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly heard: StreamEvent[] = [];
  /** Settled when the server has ended it, or it was cut. */
  readonly over: Promise<void>;
  readonly #response: IncomingMessage;
  #more = Promise.withResolvers<void>();

  private constructor(response: IncomingMessage) {
    this.#response = response;
    this.status = response.statusCode ?? 0;
    this.headers = response.headers;
    this.over = this.#read();
  }

  /** Settled when the server has answered; of a refused one the body is not read. */
  static async open(url: string, options: { ca: string; token: string; lastId?: string }): Promise<Watching> {
    const { ca, token, lastId } = options;
    const headers = { authorization: `Bearer ${token}`, ...(lastId === undefined ? {} : { 'last-event-id': lastId }) };
    const sent = request(url, { ca, agent: false, headers });
    sent.end();
    const [response]: IncomingMessage[] = await once(sent, 'response');
    if (response === undefined) throw new Error('no response');
    return new Watching(response);
  }

  /** What was heard, without the greeting: `promoted lean/sandbox@2`, once there is as much. */
  async next(count: number): Promise<string[]> {
    while (this.told.length < count) await this.#more.promise;
    return this.told;
  }

  get told(): string[] {
    return this.heard
      .filter(({ type }) => type !== 'watching')
      .map(({ type, data }) => {
        const { credential, version } = JSON.parse(data) as { credential: string | null; version: number | null };
        return `${type} ${credential ?? '*'}${version === null ? '' : `@${version}`}`;
      });
  }

  get lastId(): string {
    return this.heard.at(-1)?.id ?? '';
  }

  cut(): void {
    this.#response.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await this.over;
  }

  async #read(): Promise<void> {
    try {
      for await (const event of readEvents(this.#response)) {
        if (event === null) continue;
        this.heard.push(event);
        this.#more.resolve();
        this.#more = Promise.withResolvers();
      }
    } catch {
      // Cut.
    }
  }
}
