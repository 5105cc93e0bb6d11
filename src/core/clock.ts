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

/** `2026-11-23T10:00:00.000Z`: RFC 3339, UTC, milliseconds. */
export function timestamp(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
