import type { Use } from '../wire.ts';

/** Entries a server takes in one report. */
const MOST = 64;
/** Largest count that a server takes, and longest time, in seconds. */
const MOST_COUNTED = 1_000_000_000;
const LONGEST_AGO = 86_400;

interface Unreported {
  readonly version: number;
  readonly host: string;
  readonly requests: number;
  readonly failures: number;
  /** Wall clock; null for none. */
  readonly firstFailure: number | null;
}

/** What was used and not reported yet: one entry a version and host, however many reports have failed. */
export class UnreportedUses {
  readonly #now: () => number;
  readonly #uses = new Map<string, Unreported>();

  /** `now`: wall clock, milliseconds since the epoch. */
  constructor(now: () => number) {
    this.#now = now;
  }

  add(uses: readonly Use[]): void {
    for (const { version, host, requests, failures = 0, failedAgo = 0 } of uses) {
      const key = `${version} ${host}`;
      const known = this.#uses.get(key);
      this.#uses.set(key, {
        version,
        host,
        requests: requests + (known?.requests ?? 0),
        failures: failures + (known?.failures ?? 0),
        firstFailure: earlier(known?.firstFailure ?? null, failures > 0 ? this.#now() - failedAgo * 1_000 : null),
      });
    }
  }

  /** A request under this version failed just now, for which the certificate may be the cause. */
  fail(version: number, host: string): void {
    this.add([{ version, host, requests: 0, failures: 1 }]);
  }

  /** As many as one report holds, oldest first; they are forgotten here. */
  take(): Use[] {
    const first = [...this.#uses].slice(0, MOST);
    for (const [key] of first) this.#uses.delete(key);
    return first.map(([, use]) => this.#reported(use));
  }

  #reported({ version, host, requests, failures, firstFailure }: Unreported): Use {
    const use = { version, host, requests: Math.min(requests, MOST_COUNTED) };
    if (firstFailure === null) return use;
    const ago = Math.round((this.#now() - firstFailure) / 1_000);
    const failedAgo = Math.min(Math.max(ago, 0), LONGEST_AGO);
    return { ...use, failures: Math.min(failures, MOST_COUNTED), failedAgo };
  }
}

function earlier(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.min(one, other);
}
