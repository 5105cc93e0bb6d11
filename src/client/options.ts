import { KeyturnError } from '../core/errors.ts';

/** Longest wished life of a lease that any server takes. */
const MOST_SECONDS = 86_400;

/**
 * What the compiler holds for TypeScript is looked at here for everybody else.
 * @throws KeyturnError `invalid_input` naming the option.
 */
export function assertConnectOptions(options: { readonly token?: unknown; readonly timeoutMs?: unknown }): void {
  assertObject(options, 'connect takes an object with connection and token');
  const { token, timeoutMs = 1 } = options;
  if (typeof token !== 'string' && typeof token !== 'function') {
    throw invalid('"token" is neither the path of a file nor a function that gives a Buffer');
  }
  if (!isMilliseconds(timeoutMs) || timeoutMs === 0) throw invalid('"timeoutMs" is no number above 0');
}

/** @throws KeyturnError `invalid_input` naming the option. */
export function assertCredentialOptions(options: { readonly ttlSeconds?: unknown; readonly drainMs?: unknown }): void {
  assertObject(options, 'the options of a credential are no object');
  const { ttlSeconds = 1, drainMs = 0 } = options;
  if (!isSeconds(ttlSeconds)) throw invalid(`"ttlSeconds" is no whole number from 1 to ${MOST_SECONDS}`);
  if (!isMilliseconds(drainMs)) throw invalid('"drainMs" is no number, or less than 0');
}

function assertObject(options: unknown, what: string): void {
  if (typeof options !== 'object' || options === null) throw invalid(what);
}

function isSeconds(value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MOST_SECONDS;
}

function isMilliseconds(value: unknown): boolean {
  return typeof value === 'number' && value >= 0;
}

function invalid(what: string): KeyturnError {
  return new KeyturnError('invalid_input', `The options are refused: ${what}.`, { fix: 'Correct the call.' });
}
