import { KeyturnError } from '../../core/errors.ts';
import type { LeaseAnswer, Refusal, SealedAnswer, ServerTrust } from '../wire.ts';

/** Longest lease that is believed: a day. Whoever ignores its end can't be called back. */
const MAX_SECONDS = 86_400;
const MAX_PEM_LENGTH = 131_072;
const ENDPOINT = /^(?:[a-z0-9](?:[a-z0-9.-]{0,252})|\[[0-9a-f:.]{2,45}\]):[1-9][0-9]{0,4}$/;

type Members = Readonly<Record<string, unknown>>;

/**
 * Reads a lease answer from the wire. Members that a newer server may add are ignored; those that are used must be
 * as the wire says. The receipt is read where it is verified.
 * @throws KeyturnError `sealed_answer_invalid` naming the member, never quoting it.
 */
export function parseLeaseAnswer(value: unknown): LeaseAnswer {
  const answer = object(value, 'the answer');
  return {
    lease: matching(answer, 'lease', /^[\x21-\x7e]{1,128}$/),
    credential: matching(answer, 'credential', /^[\x21-\x7e]{1,256}$/),
    version: integer(answer, 'version', 1, Number.MAX_SAFE_INTEGER),
    spki: matching(answer, 'spki', /^[0-9a-f]{64}$/),
    secondsLeft: integer(answer, 'secondsLeft', 0, MAX_SECONDS),
    expiresAt: matching(answer, 'expiresAt', /^[0-9T:.+Z-]{20,35}$/),
    certificate: pem(answer, 'certificate'),
    chain: pem(answer, 'chain'),
    trust: parseTrust(object(answer['trust'], 'trust')),
    endpoints: parseEndpoints(answer['endpoints']),
    refusals: parseRefusals(answer['refusals']),
    sealed: answer['sealed'] === null ? null : parseSealed(object(answer['sealed'], 'sealed')),
    receipt: object(answer['receipt'], 'receipt') as unknown as LeaseAnswer['receipt'],
  };
}

function parseTrust(trust: Members): ServerTrust {
  const mode = (['pinned', 'system', 'both'] as const).find((known) => known === trust['mode']);
  if (mode === undefined) throw invalid('trust.mode');
  const roots = pem(trust, 'pem');
  // Pinned to nothing would fall back to the roots of the system.
  if (mode !== 'system' && roots.trim() === '') throw invalid('trust.pem');
  return { mode, pem: roots };
}

function parseEndpoints(value: unknown): string[] {
  const endpoints = list(value, 'endpoints', 256);
  return endpoints.map((endpoint) => {
    if (typeof endpoint === 'string' && ENDPOINT.test(endpoint)) return endpoint;
    throw invalid('endpoints');
  });
}

/** A kind that this library does not know is left out: it could not be recognised anyway. */
function parseRefusals(value: unknown): Refusal[] {
  return list(value, 'refusals', 64).flatMap((item): Refusal[] => {
    const refusal = object(item, 'refusals');
    const { kind } = refusal;
    if (kind === 'alert' || kind === 'close') return [{ kind }];
    return kind === 'status' ? [{ kind, status: integer(refusal, 'status', 100, 599) }] : [];
  });
}

function parseSealed(sealed: Members): SealedAnswer {
  return {
    enc: matching(sealed, 'enc', /^[A-Za-z0-9_-]{1,64}$/),
    seq: integer(sealed, 'seq', 0, Number.MAX_SAFE_INTEGER),
    ct: matching(sealed, 'ct', /^[A-Za-z0-9_-]+$/),
  };
}

function object(value: unknown, where: string): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(where);
  return value as Members;
}

function list(value: unknown, where: string, most: number): readonly unknown[] {
  if (!Array.isArray(value) || value.length > most) throw invalid(where);
  return value;
}

function integer(of: Members, name: string, least: number, most: number): number {
  const value = of[name];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least || value > most) throw invalid(name);
  return value;
}

function matching(of: Members, name: string, pattern: RegExp): string {
  const value = of[name];
  if (typeof value !== 'string' || !pattern.test(value)) throw invalid(name);
  return value;
}

function pem(of: Members, name: string): string {
  const value = of[name];
  if (typeof value !== 'string' || value.length > MAX_PEM_LENGTH) throw invalid(name);
  return value;
}

function invalid(where: string): KeyturnError {
  return new KeyturnError('sealed_answer_invalid', `The lease answer is refused: "${where}" is not as it should be.`, {
    fix: 'Check that this library and the server are of versions that fit each other.',
  });
}
