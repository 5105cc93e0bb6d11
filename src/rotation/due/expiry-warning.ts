/** How near a certificate's end is, relative to its lifetime: what is near for a year is far for a day. */
export type Nearness = 'far' | 'notice' | 'warning' | 'critical' | 'expired';

/** Share of the lifetime that is left when each begins. A year: 122, 36 and 11 days. A day: 8, 2.4 hours and 43 minutes. */
const LEFT = { notice: 1 / 3, warning: 0.1, critical: 0.03 } as const;

export function nearnessOf({ notBefore, notAfter }: { notBefore: number; notAfter: number }, now: number): Nearness {
  if (now > notAfter) return 'expired';
  const left = lifetimeLeft({ notBefore, notAfter }, now);
  if (left <= LEFT.critical) return 'critical';
  if (left <= LEFT.warning) return 'warning';
  return left <= LEFT.notice ? 'notice' : 'far';
}

/** Share of the lifetime that is left; negative after the end. */
export function lifetimeLeft({ notBefore, notAfter }: { notBefore: number; notAfter: number }, now: number): number {
  return (notAfter - now) / Math.max(1, notAfter - notBefore);
}

/** A version that another one follows, or that nobody can use, ends without a warning. */
export function isWarnedOf(state: string): boolean {
  return state === 'current' || state === 'staged';
}
