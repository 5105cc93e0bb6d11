import type { KillCampaign, Step } from './campaign.ts';
import type { Point } from './strace.ts';

/** The system calls around a write to the key store, to the ledger and to the checkpoint outside. */
const CALLS = ['?open,openat', 'pwrite64', 'fsync', 'fdatasync', '?rename,?renameat,renameat2'] as const;

/** Calls of one kind that one step makes at most, on one thread: an end for a series that never ends by itself. */
const MOST = 40;

/** Every point of a step: `nth` of each kind until the step is done without coming there. Faults, a sentence each. */
export async function killAtEveryPoint(
  campaign: KillCampaign,
  step: Step,
  told: (point: Point) => void = () => {},
): Promise<string[]> {
  for (const calls of CALLS) {
    for (let nth = 1; nth <= MOST; nth += 1) {
      const point = { calls, nth };
      const faults = await campaign.killAtPoint(step, point);
      if (faults === null) break;
      told(point);
      if (faults.length > 0) return faults.map((fault) => `killed before ${calls} #${nth} of ${step}: ${fault}`);
    }
  }
  return [];
}
