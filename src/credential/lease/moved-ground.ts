import { KeyturnError } from '../../core/errors.ts';

/**
 * How often a decision is made anew when the ground moved under it (promotion, policy, a record that goes to another
 * store) before the caller is told. A migration may move a key and its companions one right after the other.
 */
const ATTEMPTS = 8;

/** Decides and acts; again, on fresh state, when the ledger found at the commit that the state had changed. */
export async function untilGroundHolds<T>(attempt: () => Promise<T>): Promise<T> {
  for (let count = 1; ; count += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!isGroundMoved(error) || count === ATTEMPTS) throw error;
    }
  }
}

/** True when another decision on fresh state may succeed. */
function isGroundMoved(error: unknown): boolean {
  return error instanceof KeyturnError && error.code === 'conflict' && error.facts['rule'] !== undefined;
}
