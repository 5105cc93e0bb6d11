import { KeyturnError } from '../../core/errors.ts';

export type HeadersInit = NonNullable<RequestInit['headers']>;

/** Fetch standard, "forbidden method": they would hand the connection, with our identity, to somebody else's bytes. */
const FORBIDDEN_METHODS = new Set(['CONNECT', 'TRACE', 'TRACK']);

/** RFC 9110 section 7.6.1: they speak of the connection, and could make a request end where ours does not. */
const OF_THE_CONNECTION = new Set(['connection', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade']);

/** @throws KeyturnError `invalid_input` for a method that `fetch` does not send, and for a body with GET or HEAD. */
export function methodOf(method: string | undefined, body: unknown): string {
  const name = (method ?? 'GET').toUpperCase();
  if (FORBIDDEN_METHODS.has(name)) throw invalid(`The method ${name} is not sent.`);
  if ((name === 'GET' || name === 'HEAD') && body !== undefined && body !== null) {
    throw invalid(`A request with ${name} has no body.`);
  }
  return name;
}

/** @throws KeyturnError `invalid_input` for a header that belongs to the connection. */
export function headerPairs(headers: HeadersInit | undefined): Iterable<readonly [string, string]> {
  if (headers === undefined) return [];
  const whole = Array.isArray(headers) || headers instanceof Headers;
  const pairs = whole ? [...new Headers(headers)] : Object.entries(headers as Record<string, string>);
  for (const [name] of pairs) {
    const lower = name.toLowerCase();
    if (OF_THE_CONNECTION.has(lower)) throw invalid(`The header ${lower} belongs to the connection.`);
  }
  return pairs;
}

function invalid(message: string): KeyturnError {
  return new KeyturnError('invalid_input', message, { fix: 'Correct the call of fetch.' });
}
