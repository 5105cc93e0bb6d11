/** Where time comes from. Everything that reads time takes one, so that tests can freeze it. */
export interface Clock {
  /** Wall clock, milliseconds since the Unix epoch (UTC). May jump. */
  now(): number;
  /** Monotonic milliseconds since an arbitrary start. Never goes back; may stand still while the machine sleeps. */
  monotonic(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};

/** The last few instants, since one request writes the same one several times. */
const WRITTEN = Array.from({ length: 8 }, () => ({ at: Number.NaN, text: '' }));
let next = 0;

/** `2026-11-23T10:00:00.000Z`: RFC 3339, UTC, milliseconds. */
export function timestamp(epochMs: number): string {
  const known = WRITTEN.find(({ at }) => at === epochMs);
  if (known !== undefined) return known.text;
  const text = new Date(epochMs).toISOString();
  WRITTEN[next++ % WRITTEN.length] = { at: epochMs, text };
  return text;
}
