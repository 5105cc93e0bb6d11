import { KeyturnError } from '../core/errors.ts';

interface FailureOptions {
  readonly fix?: string;
  /** Whether it is certain that what was asked did not happen. */
  readonly certain: boolean;
  readonly facts?: Readonly<Record<string, string | number | boolean | null>>;
}

/**
 * The issuer did not answer, or not so that it could be understood. Unless `certain`, what was asked may have
 * happened. What a library threw is never its cause: it may hold a token.
 */
export function issuerUnavailable(message: string, { fix, certain, facts = {} }: FailureOptions): KeyturnError {
  return new KeyturnError('issuer_unavailable', message, {
    ...(fix === undefined ? {} : { fix }),
    facts: { ...facts, certain },
  });
}

/** The issuer said no, or was never asked: nothing was issued or revoked. */
export function issuerRefused(
  message: string,
  fix: string,
  facts: Readonly<Record<string, string | number | boolean | null>> = {},
): KeyturnError {
  return new KeyturnError('issuer_refused', message, { fix, facts: { ...facts, certain: true } });
}

/** True unless the error says that what was asked certainly did not happen: nobody asks again before looking. */
export function mayHaveHappened(error: unknown): boolean {
  if (!(error instanceof KeyturnError)) return true;
  if (error.code === 'invalid_input' || error.code === 'issuer_refused') return false;
  return error.facts['certain'] !== true;
}
