import { type ErrorCode, KeyturnError } from '../../core/errors.ts';
import type { ServerReply } from './exchange.ts';

/**
 * Codes with which the pinned server says that the lease is over now, or that there will be none. Anything else is
 * trouble, to be ridden out until the lease ends.
 */
const VERDICTS = [
  'held',
  'lease_ended',
  'lease_superseded',
  'permission_denied',
  'unauthenticated',
  'version_state',
] as const satisfies readonly ErrorCode[];

/** Codes that are no verdict on the lease, but say more than that the server failed. */
const KNOWN = [
  'invalid_input',
  'not_found',
  'no_current_version',
  'certificate_expired',
  'rate_limited',
  // The log is shorter than what this client has seen of it.
  'log_forked',
] as const satisfies ErrorCode[];

export type ServerFailure = {
  /** A verdict ends the lease at once; trouble does not. */
  readonly kind: 'verdict' | 'trouble';
  readonly error: KeyturnError;
};

/**
 * What an answer that is no success means. A proxy's 401 or 403, and any 5xx, is trouble: only a problem document
 * (RFC 9457 section 3) with a code of ours, whose status is the answer's own, is the server's word.
 */
export function failureOf(reply: ServerReply, host: string): ServerFailure {
  const problem = reply.type === 'application/problem+json' ? parseProblem(reply) : null;
  const word = reply.status < 500 ? problem : null;
  const verdict = VERDICTS.find((code) => code === word?.code);
  if (word !== null && verdict !== undefined) return { kind: 'verdict', error: spoken(verdict, word, host) };
  const known = KNOWN.find((code) => code === word?.code);
  if (word !== null && known !== undefined) return { kind: 'trouble', error: spoken(known, word, host) };
  const why = problem === null ? '' : ` (${problem.code}${problem.request === null ? '' : `, ${problem.request}`})`;
  const error = new KeyturnError('server_unreachable', `${host} answered ${reply.status}${why}, not with a lease.`, {
    fix: fixOf(problem),
    facts: { server: host, status: reply.status, ...(problem === null ? {} : { problem: problem.code }) },
  });
  return { kind: 'trouble', error };
}

/** Where it is the server that speaks, no proxy before it is to be looked at. */
function fixOf(problem: Spoken | null): string {
  if (problem === null) return 'Look at the server, and at any proxy before it.';
  return problem.code === 'keystore_unavailable'
    ? 'A key store does not answer the server: keyturn store list says which and why.'
    : (problem.fix ?? 'Look at the log of the server.');
}

interface Spoken {
  readonly code: string;
  readonly detail: string;
  readonly fix: string | null;
  readonly request: string | null;
}

function parseProblem(reply: ServerReply): Spoken | null {
  let value: unknown;
  try {
    value = JSON.parse(reply.body.toString('utf8'));
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const { code, status, detail, fix, request } = Object.fromEntries(Object.entries(value));
  if (status !== reply.status || typeof code !== 'string' || !/^[a-z_]{1,64}$/.test(code)) return null;
  return { code, detail: text(detail) ?? 'It gave no reason.', fix: text(fix), request: text(request) };
}

/** Server text goes into an error message: one line, bounded. */
function text(value: unknown): string | null {
  if (typeof value !== 'string') return null;
  return value.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').slice(0, 500);
}

function spoken(code: ErrorCode, problem: Spoken, host: string): KeyturnError {
  return new KeyturnError(code, problem.detail, {
    ...(problem.fix === null ? {} : { fix: problem.fix }),
    facts: { server: host, ...(problem.request === null ? {} : { request: problem.request }) },
  });
}
