import type { HoldRow } from '../../ledger/tables.ts';

/** A hold on a version or a credential is decided for that credential; any other needs a grant on all. */
export function credentialOf(hold: Pick<HoldRow, 'target' | 'subject'>): string | null {
  if (hold.target === 'credential') return hold.subject;
  return hold.target === 'version' ? (hold.subject.split('@')[0] ?? null) : null;
}
