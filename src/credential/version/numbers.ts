import type { Ledger } from '../../ledger/ledger.ts';

/** The next number of a credential: none is given twice, those that a rotation has reserved included. */
export async function nextVersion(ledger: Ledger, credential: string): Promise<number> {
  const newest = { orderBy: 'version', descending: true, limit: 1 } as const;
  const [version] = await ledger.find('versions', { credential }, newest);
  const [reserved] = await ledger.find('rotations', { credential, version: { gt: 0 } }, newest);
  return Math.max(version?.version ?? 0, reserved?.version ?? 0) + 1;
}
