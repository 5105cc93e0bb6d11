import { expect } from 'vitest';
import { type ErrorCode, KeyturnError } from '../../src/core/errors.ts';

/** The KeyturnError that `act` throws, after its code has been checked. */
export function refusal(code: ErrorCode, act: () => unknown): KeyturnError {
  try {
    act();
  } catch (error) {
    return checked(code, error);
  }
  return expect.fail(`expected ${code}, and nothing was thrown`);
}

/** As {@link refusal}, for promises. */
export async function refusalOf(code: ErrorCode, promise: Promise<unknown>): Promise<KeyturnError> {
  const outcome = await promise.then(
    () => null,
    (error: unknown) => checked(code, error),
  );
  return outcome ?? expect.fail(`expected ${code}, and nothing was thrown`);
}

/** For properties: the answer, or null for a KeyturnError; anything else that is thrown goes on. */
export function orRefused<T>(act: () => T): T | null {
  try {
    return act();
  } catch (error) {
    if (error instanceof KeyturnError && error.code !== 'internal') return null;
    throw error;
  }
}

function checked(code: ErrorCode, error: unknown): KeyturnError {
  if (!(error instanceof KeyturnError)) throw error;
  expect(error.code, error.message).toBe(code);
  return error;
}
