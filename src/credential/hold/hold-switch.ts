import { KeyturnError } from '../../core/errors.ts';
import type { HoldTarget } from '../../ledger/tables.ts';

/** What a release touches: everything that a hold could stand on. */
export interface Touched {
  readonly credential: string;
  readonly version: number;
  readonly principal: string;
  readonly host: string;
  /** Of the version, and of every companion that goes with it. */
  readonly stores: readonly string[];
}

/**
 * Freezes that this process has been told of, by subject, from the instant of the request on: nothing that a
 * frozen subject touches leaves the process, whether or not the hold has reached the ledger yet. The ledger's own
 * check at the commit stays the authority; this switch can only stop more.
 */
export class HoldSwitch {
  readonly #held = new Map<string, Set<string>>();
  /** Told of each freeze, at once. Must not throw. */
  onPlaced: (target: HoldTarget, subject: string) => void = () => {};

  place(id: string, target: HoldTarget, subject: string): void {
    const key = keyOf(target, subject);
    const ids = this.#held.get(key) ?? new Set();
    ids.add(id);
    this.#held.set(key, ids);
    this.onPlaced(target, subject);
  }

  lift(id: string): void {
    for (const [key, ids] of this.#held) {
      if (ids.delete(id) && ids.size === 0) this.#held.delete(key);
    }
  }

  /** Whether this hold is in it. */
  has(id: string): boolean {
    return this.#held.values().some((ids) => ids.has(id));
  }

  /** Whether a hold of this id stands here on something else. */
  isOfAnother(id: string, target: HoldTarget, subject: string): boolean {
    const key = keyOf(target, subject);
    return [...this.#held].some(([held, ids]) => held !== key && ids.has(id));
  }

  isHeld(target: HoldTarget, subject: string): boolean {
    return this.#held.has(keyOf(target, subject));
  }

  /** @throws KeyturnError `held` if anything touched is frozen. Called last, right before material is sealed. */
  refuse(touched: Touched): void {
    if (this.#held.size === 0) return;
    for (const [target, subject] of subjectsOf(touched)) {
      if (this.isHeld(target, subject)) {
        throw new KeyturnError('held', `Frozen: ${target} ${subject}.`, {
          fix: 'See who froze it and why: keyturn hold list. Two persons can lift it: keyturn thaw.',
          facts: { rule: `hold-on-${target}` },
        });
      }
    }
  }
}

/** Name of a version as the subject of a hold. */
export function versionSubject(credential: string, version: number): string {
  return `${credential}@${version}`;
}

/** Every (target, subject) pair that can stop a release of what is touched. */
export function subjectsOf(touched: Touched): readonly (readonly [HoldTarget, string])[] {
  return [
    ['version', versionSubject(touched.credential, touched.version)],
    ['credential', touched.credential],
    ['principal', touched.principal],
    ['host', touched.host],
    ...[...new Set(touched.stores)].map((store) => ['store', store] as const),
  ];
}

function keyOf(target: HoldTarget, subject: string): string {
  return `${target} ${subject}`;
}
