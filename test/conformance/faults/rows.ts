import type { Verb } from './cell.ts';
import type { Row } from './table.ts';

/** Verbs of a store that can't attest. */
export const NETWORK_VERBS = ['write', 'read', 'list', 'destroy', 'health'] as const satisfies readonly Verb[];

/** As on a good day. */
export const HEALTHY = {
  write: 'done → 1+2',
  read: 'done → 1',
  list: 'done: 1 → 1',
  destroy: 'done → nothing',
  health: 'ready → 1',
} as const satisfies Row;

/** Every verb fails for the same reason, and nothing happens. */
export function refused(reason: string, certainty: 'certain' | 'ambiguous', health: string): Row {
  const error = `keystore_unavailable (${reason})`;
  return {
    write: `${error}, ${certainty} → 1`,
    read: `${error} → 1`,
    list: `${error} → 1`,
    destroy: `${error}, ${certainty} → 1`,
    health: `not ready: ${health} → 1`,
  };
}

/** Changes may or may not have happened. `held`: what the store then holds, after writing and after destroying. */
export function doubtful(reason: string, held: { readonly write: string; readonly destroy: string }) {
  return {
    write: `keystore_unavailable (${reason}), ambiguous → ${held.write}`,
    destroy: `keystore_unavailable (${reason}), ambiguous → ${held.destroy}`,
  };
}

/** Of changes that happened although they failed. */
export const HAPPENED = { write: '1+2', destroy: 'nothing' } as const;
/** Of changes that failed and did not happen, which nobody can know. */
export const NOT_HAPPENED = { write: '1', destroy: '1' } as const;
