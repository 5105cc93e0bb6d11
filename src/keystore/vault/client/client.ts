import { inDoubt, isInDoubt } from '../../in-doubt.ts';
import type { JsonObject, VaultAnswer } from './answer.ts';
import { isUnclear, reasonOf, vaultError } from './reason.ts';
import { throwRefusal } from './refusal.ts';
import type { Resilience } from './resilience.ts';
import type { VaultMethod, Wire, WireRequest } from './wire.ts';

/** Whose token requests carry. */
export interface TokenSource {
  /** Logs in when needed. @throws KeyturnError `keystore_unavailable`. */
  token(): Promise<string>;
  /** Another token than this one, which was refused; null when there is none to be had. */
  replace(refused: string): Promise<string | null>;
}

export interface VaultRequest {
  readonly method: VaultMethod;
  readonly path: string;
  readonly body?: JsonObject | Buffer;
  /** Default: true for GET and LIST alone. */
  readonly repeatable?: boolean;
  /** Without the namespace: a few system paths are the whole server's. Default: false. */
  readonly outsideNamespace?: boolean;
}

/** Requests with the session's token: retried, timed, and logged in anew once when the token is refused. */
export class VaultClient {
  readonly #wire: Wire;
  readonly #resilience: Resilience;
  readonly #tokens: TokenSource;

  constructor(wire: Wire, resilience: Resilience, tokens: TokenSource) {
    this.#wire = wire;
    this.#resilience = resilience;
    this.#tokens = tokens;
  }

  /**
   * Answers with 200, 204, a 400, or a 404 that speaks of the thing asked for.
   * @throws KeyturnError `keystore_unavailable` with a reason for everything else.
   */
  async ask(request: VaultRequest): Promise<VaultAnswer> {
    const token = await this.#tokens.token();
    try {
      return await this.#askAs(token, request);
    } catch (error) {
      // What was denied did nothing, so any request may follow under another token.
      const other = reasonOf(error) === 'forbidden' ? await this.#tokens.replace(token) : null;
      if (other === null) throw error;
      const doubtful = isInDoubt(error);
      return this.#askAs(other, request).catch((again: unknown) => {
        throw doubtful ? inDoubt(again) : again;
      });
    }
  }

  /** One attempt without retry, breaker or new login, its status uninterpreted. `authorised`: with the token. */
  async probe(request: VaultRequest, authorised: boolean): Promise<VaultAnswer> {
    const token = authorised ? await this.#tokens.token() : null;
    return this.#resilience.once((signal) => this.#wire({ ...request, token, signal }));
  }

  #askAs(token: string, request: VaultRequest): Promise<VaultAnswer> {
    return askAs(this.#wire, this.#resilience, token, request);
  }
}

/**
 * The same without a session: for logins, which have no token yet, and for wrapping tokens, which are their own. What is
 * certain of a change is so by every attempt, not by the last one.
 */
export async function askAs(
  wire: Wire,
  resilience: Resilience,
  token: string | null,
  request: VaultRequest,
): Promise<VaultAnswer> {
  const { method, path } = request;
  const reads = method === 'GET' || method === 'LIST';
  if (!isSafePath(path)) throw vaultError('bad_request', 'A path of Vault has a segment that is not allowed.');
  let doubtful = false;
  const attempt = async (signal: AbortSignal) => {
    try {
      return await attemptAs(wire, { ...request, token, signal });
    } catch (error) {
      doubtful ||= isUnclear(error);
      throw error;
    }
  };
  try {
    return await resilience.run(request.repeatable ?? reads, attempt);
  } catch (error) {
    throw doubtful && !reads ? inDoubt(error) : error;
  }
}

async function attemptAs(wire: Wire, request: WireRequest): Promise<VaultAnswer> {
  const answer = await wire(request);
  try {
    throwRefusal(answer, request.path);
    return answer;
  } catch (error) {
    answer.octets.fill(0);
    throw error;
  }
}

/** Segments that a URL parser leaves as they are: no `..`, no `//`, nothing that would be escaped. */
function isSafePath(path: string): boolean {
  return path.split('/').every((segment, index, all) => {
    const last = index === all.length - 1 && index > 0;
    return (last && segment === '') || (/^[A-Za-z0-9._~-]{1,200}$/.test(segment) && !/^\.{1,2}$/.test(segment));
  });
}
