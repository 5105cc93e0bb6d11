import type { ClientRequest } from 'node:http';
import { isError, isKeyturnError, type KeyturnError } from '../../core/errors.ts';
import type { Endpoint } from '../partner/endpoints.ts';
import { copyOf, type Identity } from '../partner/identity.ts';
import type { VersionAgent } from '../partner/version-agent.ts';
import type { FailedCall } from './diagnose.ts';

/**
 * Writes into an error of Node why the call failed: the explanation becomes its `cause` and is added to its message.
 * Class and code stay Node's, because retry logic everywhere decides by them (`ECONNRESET`). Errors that are the
 * caller's own doing, and ours, are left alone.
 */
export function explainRequestError(call: RequestOnWire, error: unknown): void {
  if (!isError(error) || !isExplainable(error)) return;
  const { identity, agent, endpoint, request } = call;
  if (agent.cutReason !== null) {
    attach(error, copyOf(agent.cutReason));
    return;
  }
  const answered = 'res' in request && request.res != null;
  const failed = failedCall(error, { host: endpoint.name, reused: request.reusedSocket, answered });
  attach(error, identity.explain(failed, agent.material));
}

/** One request and what it was sent with. */
export interface RequestOnWire {
  readonly identity: Identity;
  readonly agent: VersionAgent;
  readonly endpoint: Endpoint;
  readonly request: ClientRequest;
}

export function failedCall(error: Error, at: Pick<FailedCall, 'host' | 'reused' | 'answered'>): FailedCall {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
  return { ...at, code, message: error.message, syscall: syscallOf(error) };
}

/** Null for none. A host with several addresses fails with one error for each: the first speaks for all. */
function syscallOf(error: Error): string | null {
  const first: unknown = 'errors' in error && Array.isArray(error.errors) ? error.errors[0] : error;
  if (!isError(first) || !('syscall' in first)) return null;
  return typeof first.syscall === 'string' ? first.syscall : null;
}

/** What libraries end a call with that took them too long; from the system they come with a system call. */
const TIME_LIMITS = new Set(['ECONNABORTED', 'ETIMEDOUT', 'ESOCKETTIMEDOUT']);

/** undici's own codes that tell of the partner; the others are of the application's mistakes, aborts and time limits. */
const UNDICI_OF_PARTNER = new Set(['UND_ERR_SOCKET', 'UND_ERR_CONNECT_TIMEOUT']);

/**
 * Not an abort or a time limit of the application's (`AbortSignal`; axios: ECONNABORTED, got: ETIMEDOUT), not a mistake
 * in the call, not ours; and not explained already.
 */
export function isExplainable(error: Error): boolean {
  if (isKeyturnError(error) || error instanceof DOMException || error.cause !== undefined) return false;
  const code = 'code' in error ? String(error.code) : '';
  if (code === '' || code === 'ERR_CANCELED' || (TIME_LIMITS.has(code) && syscallOf(error) === null)) return false;
  if (code.startsWith('UND_ERR_')) return UNDICI_OF_PARTNER.has(code);
  return error.name !== 'AbortError' && !code.startsWith('ERR_HTTP_') && !code.startsWith('HPE_');
}

/** An error of the application's making may be frozen, or have a message that can't be written; then it stays. */
export function attach(error: Error, explanation: KeyturnError): void {
  Reflect.set(error, 'cause', explanation);
  Reflect.set(error, 'message', `${error.message}: ${explanation.message}`);
}

/** The explanation in an error or anywhere down its causes, as axios, got and fetch nest them; null for none. */
export function keyturnErrorIn(error: unknown): KeyturnError | null {
  let at = error;
  // Causes could form a ring.
  for (let depth = 0; depth < 16 && isError(at); depth += 1) {
    if (isKeyturnError(at)) return at;
    at = at.cause;
  }
  return null;
}
