/** Uniform in [0, 1). Injected, so that tests see the same jitter twice. */
export type Random = () => number;

const RENEW_AT = 2 / 3;
const JITTER = 0.1;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;

/**
 * Milliseconds from asking for a lease to renewing it: two thirds of its life, up to a tenth of that earlier or
 * later, so that the processes of a fleet that started together do not renew together.
 */
export function renewalDelay(wholeMs: number, random: Random): number {
  return wholeMs * RENEW_AT * (1 - JITTER + 2 * JITTER * random());
}

/**
 * Milliseconds before the next try after `failures` in a row: doubling from one second to half a minute, each drawn
 * from the upper half of its step.
 */
export function retryDelay(failures: number, random: Random): number {
  const step = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 16));
  return step * (0.5 + random() / 2);
}
