import type { Clock } from '../../core/clock.ts';
import { type ErrorCode, KeyturnError, unexpected } from '../../core/errors.ts';
import type { GrantRequest, RenewRequest } from '../wire.ts';
import type { ServerCall, ServerExchange } from './exchange.ts';
import { failureOf, type ServerFailure } from './problem.ts';

/** `value` is what the JSON said, not looked at yet. */
export type ServerOutcome = { readonly kind: 'answer'; readonly value: unknown } | ServerFailure;

/** A server that gave no answer is asked after the others for this long, milliseconds. */
const ASIDE_MS = 60_000;

/**
 * The lease API at the servers of the connection file. Each call tries them in order until one answers; the first
 * verdict counts, since every server reads the same ledger. A server that gave no answer goes to the end for a while:
 * one that hangs would cost each call of each credential the whole time limit.
 */
export class LeaseServers {
  readonly #servers: readonly URL[];
  readonly #exchange: ServerExchange;
  readonly #clock: Clock;
  /** Until when a server is asked after the others, by the monotonic clock. */
  readonly #aside = new Map<URL, number>();

  constructor(servers: readonly URL[], exchange: ServerExchange, clock: Clock) {
    this.#servers = servers;
    this.#exchange = exchange;
    this.#clock = clock;
  }

  grant(credential: string, body: GrantRequest): Promise<ServerOutcome> {
    const path = `/v1/credentials/${encodeURIComponent(credential)}/leases`;
    return this.#call({ method: 'POST', path, body }, 201);
  }

  renew(lease: string, body: RenewRequest): Promise<ServerOutcome> {
    return this.#call({ method: 'POST', path: `/v1/leases/${encodeURIComponent(lease)}/renew`, body }, 200);
  }

  /** Gives a lease back; the `value` of a good answer is null. */
  giveBack(lease: string): Promise<ServerOutcome> {
    return this.#call({ method: 'DELETE', path: `/v1/leases/${encodeURIComponent(lease)}` }, 204);
  }

  close(): void {
    this.#exchange.close();
  }

  async #call(call: ServerCall, success: number): Promise<ServerOutcome> {
    let last: ServerOutcome | null = null;
    for (const server of this.#inOrder()) {
      last = await this.#ask(server, call, success);
      if (last.kind === 'trouble' && WITHOUT_ANSWER.has(last.error.code)) {
        this.#aside.set(server, this.#clock.monotonic() + ASIDE_MS);
      } else {
        this.#aside.delete(server);
      }
      if (last.kind !== 'trouble') return last;
    }
    return last ?? trouble(new KeyturnError('server_unreachable', 'There is no server to ask.'));
  }

  /** That of the file, for those that answer and then for those set aside. */
  #inOrder(): URL[] {
    const now = this.#clock.monotonic();
    const isAside = (server: URL): boolean => (this.#aside.get(server) ?? now) > now;
    return this.#servers.toSorted((one, other) => Number(isAside(one)) - Number(isAside(other)));
  }

  async #ask(server: URL, call: ServerCall, success: number): Promise<ServerOutcome> {
    try {
      const reply = await this.#exchange.send(server, call);
      if (reply.status !== success) return failureOf(reply, server.host);
      if (success === 204) return { kind: 'answer', value: null };
      if (reply.type !== 'application/json') throw notJson(server);
      return { kind: 'answer', value: parseJson(reply.body, server) };
    } catch (error) {
      return trouble(error instanceof KeyturnError ? error : unexpected(error));
    }
  }
}

const WITHOUT_ANSWER: ReadonlySet<ErrorCode> = new Set(['server_unreachable', 'server_untrusted']);

function parseJson(body: Buffer, server: URL): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw notJson(server);
  }
}

function notJson(server: URL): KeyturnError {
  return new KeyturnError('server_unreachable', `${server.host} answered with something that is not JSON.`, {
    fix: 'Look for a proxy before the server that answers in its place.',
    facts: { server: server.host },
  });
}

function trouble(error: KeyturnError): ServerFailure {
  return { kind: 'trouble', error };
}
