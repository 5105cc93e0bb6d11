import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * What became of each attempt of one call. The SDK repeats attempts by itself and throws what the last one met; whether
 * the call may have acted depends on all of them.
 */
export interface Attempts {
  started: number;
  readonly errors: unknown[];
}

const current = new AsyncLocalStorage<Attempts>();

export function watchingAttempts<T>(attempts: Attempts, call: () => Promise<T>): Promise<T> {
  return current.run(attempts, call);
}

/** To be put into the SDK's middleware stack, inside of its retry. */
export async function recordingAttempt<T>(attempt: () => Promise<T>): Promise<T> {
  const attempts = current.getStore();
  if (attempts !== undefined) attempts.started += 1;
  try {
    return await attempt();
  } catch (error) {
    attempts?.errors.push(error);
    throw error;
  }
}
