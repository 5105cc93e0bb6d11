import type { HoldRow } from '../../ledger/tables.ts';
import type { Desk } from '../desk.ts';
import { inTime } from './hold-journal.ts';

/** The hold is in force and durable by then, and the ledger was there a moment ago, milliseconds. */
const PATIENCE_MS = 1_000;

/**
 * False when nothing in the ledger bears the name that was frozen: a slip of the pen, most likely, which would leave
 * what was meant running. Null when that can't be told, or not at once. The hold stands in any case.
 */
export function isKnown(desk: Desk, row: HoldRow): Promise<boolean | null> {
  return inTime(
    look(desk, row).catch(() => null),
    null,
    PATIENCE_MS,
  );
}

async function look({ ledger }: Desk, { target, subject }: HoldRow): Promise<boolean | null> {
  const one = { limit: 1 };
  switch (target) {
    case 'credential':
      return (await ledger.find('credentials', { name: subject }, one)).length > 0;
    case 'version': {
      const [credential = '', version] = subject.split('@');
      return (await ledger.find('versions', { credential, version: Number(version) }, one)).length > 0;
    }
    case 'principal':
      return (await ledger.find('tokens', { principal: subject }, one)).length > 0;
    case 'host':
    case 'store':
      return null;
  }
}
