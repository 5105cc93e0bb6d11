import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { type Answer, call, type Identity } from '../call.ts';

/** What goes wrong with a request; `forward` asks the real server. */
export type Fault = (
  request: IncomingMessage,
  response: ServerResponse,
  forward: () => Promise<Answer>,
  body: Buffer,
) => void | Promise<void>;

export interface FaultProxyOptions {
  readonly server: Identity;
  /** The real server, and the roots of its certificate. */
  readonly upstream: string;
  readonly ca: string;
  /** Sent to the real server with each request. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Stands before a real server and does to requests what a real server can't be made to do. */
export class FaultProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #options: FaultProxyOptions;
  #port = 0;
  /** Method and path of every request that came. */
  readonly seen: string[] = [];
  /** The tokens that came with them. */
  readonly tokens: string[] = [];
  /** Null: everything is passed through. */
  fault: Fault | null = null;

  private constructor(options: FaultProxyOptions) {
    this.#options = options;
    const { keyPem: key, certificatePem: cert } = options.server;
    this.#server = createServer({ key, cert }, (request, response) => void this.#serve(request, response));
  }

  static async start(options: FaultProxyOptions): Promise<FaultProxy> {
    const proxy = new FaultProxy(options);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    proxy.#port = (proxy.#server.address() as AddressInfo).port;
    return proxy;
  }

  get url(): string {
    return `https://127.0.0.1:${this.#port}`;
  }

  /** Nobody listens there any more. */
  async pause(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** Again, on the port of before. */
  async resume(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request;
    this.seen.push(`${method} ${url}`);
    this.tokens.push(String(headers['x-vault-token'] ?? ''));
    const body = await buffer(request);
    const { upstream, ca } = this.#options;
    const passed = ['x-vault-token', 'x-vault-request', 'x-vault-namespace', 'content-type'].flatMap((name) =>
      typeof headers[name] === 'string' ? [[name, headers[name]] as const] : [],
    );
    const forward = () =>
      call(`${upstream}${url}`, {
        ca,
        method,
        headers: { ...Object.fromEntries(passed), ...this.#options.headers },
        ...(body.length === 0 ? {} : { body: body.toString() }),
      });
    await (this.fault ?? pass)(request, response, forward, body);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.pause();
  }
}

async function pass(_: IncomingMessage, response: ServerResponse, forward: () => Promise<Answer>): Promise<void> {
  send(response, await forward());
}

function send(response: ServerResponse, { status, headers, body }: Answer): void {
  const { 'content-type': type = 'application/json', location } = headers;
  response.writeHead(status, { 'Content-Type': type, ...(location === undefined ? {} : { Location: location }) });
  response.end(body);
}

/** As Vault would answer an error. */
export function answering(status: number, headers: Readonly<Record<string, string>> = {}): Fault {
  return (_, response) => {
    const body = JSON.stringify({ errors: ['as planted'] });
    response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(body);
  };
}

export function answeringWith(status: number, type: string, body: string): Fault {
  return (_, response) => void response.writeHead(status, { 'Content-Type': type }).end(body);
}

export function redirectingTo(origin: string): Fault {
  return ({ url = '' }, response) => void response.writeHead(307, { Location: `${origin}${url}` }).end();
}

/** Refuses what it was asked, and says it all over again: token, path and content. */
export function echoing(status: number): Fault {
  return ({ url, headers }, response, _, body) => {
    const errors = [body.toString(), `${JSON.stringify(headers)} ${url}`];
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify({ errors }));
  };
}

/** Nothing ever comes. */
export const hanging: Fault = () => {};

/** The connection breaks, and the server has heard nothing. */
export const resetting: Fault = (request) => void request.socket.destroy();

/** The server does what it was asked; its answer is lost. */
export const losingAnswers: Fault = async (request, _, forward) => {
  await forward();
  request.socket.destroy();
};

/** The server does what it was asked; its answer comes too late. */
export function delaying(milliseconds: number): Fault {
  return async (_, response, forward) => {
    const answer = await forward();
    setTimeout(() => send(response, answer), milliseconds).unref();
  };
}

/** Half of the answer comes, and then the connection ends. */
export const truncating: Fault = async (request, response, forward) => {
  const { status, body } = await forward();
  const text = body === '' ? '{}' : body;
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': text.length });
  response.write(text.slice(0, Math.floor(text.length / 2)), () => request.socket.destroy());
};

/** Half of the answer comes, and says that it is the whole. */
export const shortening: Fault = async (_, response, forward) => {
  const { status, body } = await forward();
  const half = body.slice(0, Math.floor(body.length / 2));
  response.writeHead(status === 204 ? 200 : status, { 'Content-Type': 'application/json' }).end(half || '{');
};

/**
 * Changes of a record are made and answered; whatever is asked about that record afterwards meets the fault. What is
 * asked about comes out of the path by `record`.
 */
export function afterChanges(record: (path: string) => string | null, fault: Fault): Fault {
  const changed = new Set<string>();
  return async (request, response, forward, body) => {
    const about = record(request.url ?? '');
    if (about !== null && changed.has(about)) return fault(request, response, forward, body);
    if (about !== null && request.method !== 'GET') changed.add(about);
    return pass(request, response, forward);
  };
}

/** The fault for requests of these methods to this part of the path alone; the others pass. */
export function only(methods: readonly string[], path: RegExp, fault: Fault): Fault {
  return (request, response, forward, body) => {
    const meant = methods.includes(request.method ?? '') && path.test(request.url ?? '');
    return (meant ? fault : pass)(request, response, forward, body);
  };
}
