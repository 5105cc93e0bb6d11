import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { type Ask, CORRECTIONS } from './corrections.ts';
import { type FaultPlan, send } from './fault.ts';
import { denial, type Policy } from './iam.ts';
import { type AwsAnswer, type AwsCall, askMoto, forward, parseCall, refused } from './protocol.ts';

/**
 * Stands before moto and makes of it what AWS is: refuses by the policies that the caller holds, then what AWS refuses
 * and moto does not, and breaks what a test wants broken.
 */
export class AwsProxy {
  readonly url: string;
  /** Every call that came, in order. */
  readonly calls: AwsCall[] = [];
  /** Names of the corrections that changed an answer. */
  readonly corrected = new Set<string>();
  /** Errors of the proxy itself; a test that ends with some has shown nothing. */
  readonly broken: unknown[] = [];
  /** All that the caller is allowed; null allows everything. */
  policies: readonly Policy[] | null = null;
  faults: FaultPlan = () => null;
  /** moto's own address. */
  readonly upstream: string;
  readonly #server: Server;
  /** AWS's calls are atomic; moto's overlap, and fail when they do. */
  #queue: Promise<unknown> = Promise.resolve();

  private constructor(upstream: string, server: Server) {
    this.upstream = upstream;
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      this.#serve(request, response).catch((error: unknown) => {
        this.broken.push(error);
        response.destroy();
      });
    });
  }

  static async start(upstream: string): Promise<AwsProxy> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new AwsProxy(upstream, server);
  }

  /** Nobody listens there any more. */
  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** Again, on the port of before. */
  async resume(): Promise<void> {
    this.#server.listen(Number(new URL(this.url).port), '127.0.0.1');
    await once(this.#server, 'listening');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(request);
    const call = parseCall(request.headers, body);
    this.calls.push(call);
    const nth = this.calls.filter((each) => each.operation === call.operation && each.prefix === call.prefix).length;
    const fault = this.faults(call, nth);
    const real = fault?.forwarded === false ? null : await this.inTurn(() => this.#judged(call, request));
    if (fault === null) send(response, real ?? refused({ type: 'InternalFailure', message: '', status: 500 }));
    else fault.answer(response, real);
  }

  async #judged(call: AwsCall, { headers }: IncomingMessage): Promise<AwsAnswer> {
    const ask: Ask = (action, input) => askMoto(this.upstream, call.region, action, input);
    const denied = this.policies === null ? null : await denial(this.policies, call, ask);
    if (denied !== null) return refused(denied);
    let { input } = call;
    for (const { name, actions, refuses, rewrites } of CORRECTIONS) {
      if (!actions.includes(call.action)) continue;
      const refusal = (await refuses?.(call, ask)) ?? null;
      if (refusal !== null || (rewrites !== undefined && rewrites(input) !== input)) this.corrected.add(name);
      if (refusal !== null) return refused(refusal);
      input = rewrites?.(input) ?? input;
    }
    const body = Buffer.from(JSON.stringify(input));
    return forward(this.upstream, { ...headers, 'content-length': String(body.length) }, body);
  }

  /** One after another with all that the proxy forwards. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(work, work);
    this.#queue = turn.catch(() => {});
    return turn;
  }
}
