import type { Desk } from '../../credential/desk.ts';
import type { VersionRow } from '../../ledger/tables.ts';
import type { Way } from '../workflow/path.ts';

/** What is to be rotated, and how. */
export interface Standing {
  readonly credential: string;
  readonly current: VersionRow | null;
  readonly way: Way;
}

/** What stands there already, and makes a rotation other than one would think. */
export async function standingWarnings(desk: Desk, { credential, current, way }: Standing): Promise<string[]> {
  return [
    ...(way.keyBy === 'partner' ? await stagedWarnings(desk, credential, current?.version ?? 0) : []),
    ...heldWarnings(desk, credential),
  ];
}

/** The newest is taken, as `await` does. */
async function stagedWarnings(desk: Desk, credential: string, replaces: number): Promise<string[]> {
  const newest = { orderBy: 'version', descending: true, limit: 1 } as const;
  const [staged] = await desk.ledger.find(
    'versions',
    { credential, version: { gt: replaces }, state: 'staged' },
    newest,
  );
  if (staged === undefined) return [];
  const { version } = staged;
  return [
    `Version ${version} is staged already: it is taken as the new one at once, and nobody has to upload anything. ` +
      `To have another one instead, first: keyturn retire ${credential} ${version}`,
  ];
}

function heldWarnings(desk: Desk, credential: string): string[] {
  if (!desk.holds.isHeld('credential', credential)) return [];
  return [
    `${credential} is frozen: it is rotated all the same, and clients get the new version once two persons have lifted that ` +
      '(keyturn hold list).',
  ];
}
