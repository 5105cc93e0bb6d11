import type { HoldRow } from '../../ledger/tables.ts';

type Subject = Pick<HoldRow, 'target' | 'subject'>;

/** A hold on a version or a credential is decided for that credential; any other needs a grant on all. */
export function credentialOf(hold: Subject): string | null {
  if (hold.target === 'credential') return hold.subject;
  return hold.target === 'version' ? (hold.subject.split('@')[0] ?? null) : null;
}

/** Whose trail the entries of a hold belong to: those of a hold on nothing of one credential name none. */
export function aboutOf(hold: Subject): { readonly credential?: string; readonly version?: number } {
  const credential = credentialOf(hold);
  if (credential === null) return {};
  return hold.target === 'version' ? { credential, version: Number(hold.subject.split('@')[1]) } : { credential };
}
