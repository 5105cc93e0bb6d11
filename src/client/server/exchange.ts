import { once } from 'node:events';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent, type RequestOptions, request } from 'node:https';
import { isError, KeyturnError } from '../../core/errors.ts';
import { isTrustFailure } from '../diagnosis/trust-failure.ts';
import type { Scheduler } from '../scheduler.ts';
import type { TokenSource } from '../token-source.ts';

/** Octets of an answer that are read at most; a lease answer has about ten thousand. */
export const MAX_ANSWER_OCTETS = 1_048_576;

export interface ServerCall {
  readonly method: 'POST' | 'DELETE';
  /** Percent-encoded, from the root. */
  readonly path: string;
  /** Sent as JSON when it is given. */
  readonly body?: object;
}

export interface ServerReply {
  readonly status: number;
  /** Media type in lower case, without parameters. */
  readonly type: string;
  readonly body: Buffer;
}

/** Where streams of events are opened. */
export interface EventSource {
  /**
   * The octets of a stream, as they come; null when the server has none at this path. Ends when the server ends it;
   * fails when it is cut off, or silent for too long.
   * @throws KeyturnError `server_unreachable`, `server_untrusted`.
   */
  open(server: URL, path: string, options: OpenOptions): Promise<AsyncIterable<Buffer> | null>;
}

export interface OpenOptions {
  readonly signal: AbortSignal;
  /** Id of the last event that was heard; null for none. */
  readonly lastId: string | null;
}

/** A server gives a sign of life every 15 s. */
const LONGEST_SILENCE_MS = 45_000;

export interface ExchangeOptions {
  /** The only roots that are trusted, PEM. */
  readonly ca: string;
  readonly token: TokenSource;
  /** For connecting and the whole answer together. */
  readonly timeoutMs: number;
  readonly scheduler: Scheduler;
}

/** One request and its answer over TLS to a pinned Keyturn server. Never follows a redirect. */
export class ServerExchange implements EventSource {
  readonly #options: ExchangeOptions;
  readonly #agent: Agent;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    // Leases are minutes long: a connection is not worth keeping, and a session not worth resuming.
    this.#agent = new Agent({
      ca: options.ca,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
      keepAlive: false,
      maxCachedSessions: 0,
    });
  }

  /** @throws KeyturnError `server_unreachable`, `server_untrusted`; `connection_file_invalid` for a token that is none. */
  async send(server: URL, call: ServerCall): Promise<ServerReply> {
    const body = call.body === undefined ? null : Buffer.from(JSON.stringify(call.body), 'utf8');
    const options = await this.#requestOptions(call, body);
    const sent = request(new URL(call.path, server), options);
    const timeoutMs = this.#options.timeoutMs;
    let late: KeyturnError | null = null;
    const cancel = this.#options.scheduler.after(timeoutMs, () => {
      late = new KeyturnError('server_unreachable', `${server.host} gave no answer within ${timeoutMs} ms.`, {
        fix: 'Look whether the server is overloaded, or a firewall swallows what is sent to it.',
        facts: { server: server.host },
      });
      sent.destroy(late);
    });
    // Once the answer has begun, an error reaches its reader as well; here it must only not go unheard.
    sent.on('error', () => {});
    try {
      sent.end(body ?? undefined);
      const [response] = await once(sent, 'response');
      return await readReply(response);
    } catch (error) {
      throw late ?? asTrouble(error, server);
    } finally {
      cancel();
      sent.destroy();
    }
  }

  async open(server: URL, path: string, { signal, lastId }: OpenOptions): Promise<AsyncIterable<Buffer> | null> {
    const headers = ['host', server.host, 'accept', 'text/event-stream', 'authorization', await this.#authorization()];
    if (lastId !== null) headers.push('last-event-id', lastId);
    const sent = request(new URL(path, server), { method: 'GET', agent: this.#agent, headers, signal });
    sent.on('error', () => {});
    // Waiting for news is no reason for a process to go on.
    sent.once('socket', (socket) => socket.unref());
    const cancel = this.#options.scheduler.after(this.#options.timeoutMs, () => sent.destroy());
    try {
      sent.end();
      const [response]: [IncomingMessage] = (await once(sent, 'response')) as [IncomingMessage];
      forgetHead(sent, headers);
      if (response.statusCode === 200 && mediaTypeOf(response) === 'text/event-stream')
        return this.#whileAlive(response);
      sent.destroy();
      if (response.statusCode === 404) return null;
      throw new KeyturnError('server_unreachable', `${server.host} answered ${response.statusCode}, not with events.`);
    } catch (error) {
      throw asTrouble(error, server);
    } finally {
      cancel();
    }
  }

  async *#whileAlive(response: IncomingMessage): AsyncGenerator<Buffer> {
    const silence = () =>
      this.#options.scheduler.after(LONGEST_SILENCE_MS, () => response.destroy(new Error('silent')));
    let cancel = silence();
    try {
      for await (const chunk of response) {
        cancel();
        cancel = silence();
        yield chunk;
      }
    } finally {
      cancel();
      response.destroy();
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  async #authorization(): Promise<string> {
    const token = await this.#tokenInTime();
    // A header has to be a string; the Buffer at least is not left behind.
    const authorization = `Bearer ${token.toString('latin1')}`;
    token.fill(0);
    return authorization;
  }

  /** A token that never comes must not hold up the renewals of all credentials. One that comes too late is wiped. */
  async #tokenInTime(): Promise<Buffer> {
    const { token, timeoutMs, scheduler } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const cancel = scheduler.after(timeoutMs, () => {
      reject(
        new KeyturnError('connection_file_invalid', `The token was not given within ${timeoutMs} ms.`, {
          fix: 'Look at the function, or the file system, that the token comes from.',
        }),
      );
      asked.then(
        (octets) => octets.fill(0),
        () => {},
      );
    });
    const asked = token();
    asked.then(resolve, reject);
    return promise.finally(cancel);
  }

  async #requestOptions(call: ServerCall, body: Buffer | null): Promise<RequestOptions> {
    const authorization = await this.#authorization();
    return {
      method: call.method,
      agent: this.#agent,
      headers: {
        authorization,
        accept: 'application/json, application/problem+json',
        ...(body === null ? {} : { 'content-type': 'application/json', 'content-length': body.length }),
      },
    };
  }
}

/** A stream may last for days; the token in its head must not. */
function forgetHead(sent: ClientRequest, headers: string[]): void {
  headers.fill('');
  // Where Node keeps the text of a head that was sent: not documented, and of no use to it any more.
  Reflect.set(sent, '_header', 'sent');
}

function mediaTypeOf(response: IncomingMessage): string {
  return (response.headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase();
}

async function readReply(response: IncomingMessage): Promise<ServerReply> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    length += chunk.length;
    if (length > MAX_ANSWER_OCTETS) {
      throw new KeyturnError('server_unreachable', `The answer is longer than ${MAX_ANSWER_OCTETS} octets.`);
    }
    chunks.push(chunk);
  }
  if (!response.complete) throw new KeyturnError('server_unreachable', 'The answer was cut off.');
  return { status: response.statusCode ?? 0, type: mediaTypeOf(response), body: Buffer.concat(chunks, length) };
}

function asTrouble(error: unknown, server: URL): KeyturnError {
  if (error instanceof KeyturnError) return error;
  const original = isError(error) && 'code' in error ? String(error.code) : 'unknown';
  const facts = { server: server.host, original };
  if (isTrustFailure(original)) {
    return new KeyturnError('server_untrusted', `The certificate of ${server.host} is not trusted (${original}).`, {
      fix: 'Compare "ca" in the connection file with the CA of this Keyturn; do not switch the check off.',
      facts,
    });
  }
  return new KeyturnError('server_unreachable', `${server.host} can't be reached (${original}).`, {
    fix: 'Check that the server runs and that its address in the connection file is right.',
    facts,
  });
}
