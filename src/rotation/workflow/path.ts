import type { Lifecycle } from '../../partner/profile.ts';

/**
 * What a rotation does, one after the other. Each is safe to do again: it looks whether it was done before it acts.
 *
 * `make-key`: our own key, into its store. `request`: its CSR to the issuer. `await`: until the successor is there,
 * proven to belong to its key. `canary`: the successor is shown to the partner. `share`: a part of the clients has it
 * first. `promote`: it becomes current. `drain`: until nobody uses the other one any more. `revoke`: told to the issuer,
 * or asked of the partner. `prove`: the partner refuses it, time and again. `destroy`: its key. To undo, `restore`: the
 * old version becomes current again. `discard`: what the rotation made is revoked, retired, destroyed.
 */
export const STEPS = [
  'make-key',
  'request',
  'await',
  'canary',
  'share',
  'promote',
  'drain',
  'revoke',
  'prove',
  'destroy',
  'restore',
  'discard',
] as const;
export type Step = (typeof STEPS)[number];

export interface Way {
  /** Who makes the key. */
  readonly keyBy: Lifecycle['issuance']['key'];
  /** Most certificates that the partner accepts at once. */
  readonly live: Lifecycle['issuance']['live'];
  /** Whether there is a version to replace. */
  readonly replaces: boolean;
  /** Whether a share of the clients gets the new version first. */
  readonly share: boolean;
}

/**
 * The way to a new version. Where only one certificate may live, issuing it kills the old one: so it is promoted at
 * once, and the canary only tells.
 */
export function pathOf({ keyBy, live, replaces, share }: Way): readonly Step[] {
  const made: Step[] = keyBy === 'keyturn' ? ['make-key', 'request', 'await'] : ['await'];
  const first: Step[] = share ? ['share'] : [];
  const swap: Step[] = live === 1 && replaces ? ['promote', 'canary'] : ['canary', ...first, 'promote'];
  return [...made, ...swap, ...(replaces ? (['drain', 'revoke', 'prove', 'destroy'] as const) : [])];
}

/** The way back, from before the promotion and from after it. */
export const UNDO_STAGED: readonly Step[] = ['discard'];
export const UNDO_PROMOTED: readonly Step[] = ['restore', 'drain', 'discard'];
/**
 * Where a share of the clients has what is not current; and from a way back that is barred: neither version is current, and
 * what was made goes all the same.
 */
export const UNDO_DRAINED: readonly Step[] = ['drain', 'discard'];

/** What follows on a way; null at its end. */
export function stepAfter(path: readonly Step[], step: Step): Step | null {
  return path[path.indexOf(step) + 1] ?? null;
}

/** Whether the step lies behind. */
export function isPast(path: readonly Step[], step: Step, current: Step): boolean {
  return path.includes(step) && path.indexOf(step) < path.indexOf(current);
}
