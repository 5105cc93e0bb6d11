import type { ClientRequest } from 'node:http';
import { isKeyturnError, type KeyturnError } from '../../core/errors.ts';
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
  if (!(error instanceof Error) || !isExplainable(error)) return;
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
  const syscall = 'syscall' in error && typeof error.syscall === 'string' ? error.syscall : null;
  return { ...at, code, message: error.message, syscall };
}

/**
 * Not an abort or a time limit of the application's (`AbortSignal`; axios: ECONNABORTED without a system call), not a
 * mistake in the call, not ours; and not explained already.
 */
export function isExplainable(error: Error): boolean {
  if (isKeyturnError(error) || error instanceof DOMException || error.cause !== undefined) return false;
  const code = 'code' in error ? String(error.code) : '';
  if (code === '' || code === 'ERR_CANCELED' || (code === 'ECONNABORTED' && !('syscall' in error))) return false;
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
  for (let depth = 0; depth < 16 && at instanceof Error; depth += 1) {
    if (isKeyturnError(at)) return at;
    at = at.cause;
  }
  return null;
}
