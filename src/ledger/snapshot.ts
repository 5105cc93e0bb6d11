import type { Ledger } from './ledger.ts';
import type { SignedHead } from './log/proof.ts';

/** Optional power of a ledger: it can copy itself while it is in use, into a file of the embedded one. */
export interface Snapshotting {
  /**
   * State and log as of one instant, durable or not, in a new file of mode 0600 that the embedded adapter opens.
   * Commits go on meanwhile. The folder is the caller's, as is what is left of a copy that failed.
   * @returns the head of the copy.
   * @throws KeyturnError `ledger_unavailable`.
   */
  snapshot(path: string): Promise<SignedHead>;
}

export function canSnapshot(ledger: Ledger): ledger is Ledger & Snapshotting {
  return 'snapshot' in ledger;
}
