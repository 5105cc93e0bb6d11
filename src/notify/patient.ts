import { ExponentialBackoff, handleWhenResult, retry } from 'cockatiel';
import type { Delivery, Notifier } from './notifier.ts';

/** Tries after the first, and the wait before the first of them, milliseconds. */
const TRIES = 2;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 5_000;

/** A notifier that tries again what may go better. */
export function patient(notifier: Notifier, firstWaitMs = FIRST_WAIT_MS): Notifier {
  const policy = retry(
    handleWhenResult((result) => isToBeTriedAgain(result as Delivery)),
    {
      maxAttempts: TRIES,
      backoff: new ExponentialBackoff({ initialDelay: firstWaitMs, maxDelay: LONGEST_WAIT_MS }),
    },
  );
  return {
    name: notifier.name,
    send: (notice, signal) => policy.execute(() => notifier.send(notice, signal), signal),
  };
}

function isToBeTriedAgain(delivery: Delivery): boolean {
  return !delivery.sent && delivery.again;
}
