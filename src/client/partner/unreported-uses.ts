import type { Use } from '../wire.ts';

/** Entries a server takes in one report. */
const MOST = 64;

/** What was used and not reported yet: one entry a version and host, however many reports have failed. */
export class UnreportedUses {
  readonly #uses = new Map<string, Use>();

  add(uses: readonly Use[]): void {
    for (const { version, host, requests } of uses) {
      const key = `${version} ${host}`;
      this.#uses.set(key, { version, host, requests: requests + (this.#uses.get(key)?.requests ?? 0) });
    }
  }

  /** As many as one report holds, oldest first; they are forgotten here. */
  take(): Use[] {
    const first = [...this.#uses].slice(0, MOST);
    for (const [key] of first) this.#uses.delete(key);
    return first.map(([, use]) => use);
  }
}
