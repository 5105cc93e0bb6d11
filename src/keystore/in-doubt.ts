import { KeyturnError } from '../core/errors.ts';

/**
 * What went wrong after a change that may have happened already: however certain it is that the last question did
 * nothing, the change is in doubt.
 */
export function inDoubt<E>(error: E): E | KeyturnError {
  if (!(error instanceof KeyturnError) || error.code !== 'keystore_unavailable') return error;
  const fix = error.fix === undefined ? {} : { fix: error.fix };
  return new KeyturnError(error.code, error.message, { ...fix, facts: { ...error.facts, certain: false } });
}

/** Whether what was asked may have happened, by what the error says. */
export function isInDoubt(error: unknown): boolean {
  return error instanceof KeyturnError && error.facts['certain'] === false;
}
