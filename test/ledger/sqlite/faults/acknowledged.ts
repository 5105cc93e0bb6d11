import { expect } from 'vitest';
import { verifyReceipt } from '../../../../src/audit/receipt.ts';
import { openSqliteLedger } from '../../../../src/ledger/sqlite/open.ts';
import type { freshPlace } from '../place.ts';
import type { LedgerChild } from './child.ts';

type Place = Awaited<ReturnType<typeof freshPlace>>;

/** Everything that the ended child acknowledged is on the log, with receipts that verify. Gives the size. */
export async function assertNothingLost(place: Place, path: string, child: LedgerChild): Promise<number> {
  const ledger = await openSqliteLedger({ path, signer: place.signer });
  const ids = new Set((await ledger.find('holds', {}, { limit: 1_000_000 })).map(({ id }) => id));
  for (const { id, receipt } of child.all('acknowledged')) {
    expect(ids.has(id)).toBe(true);
    const { index, entry } = verifyReceipt(receipt, place.verifier, null);
    expect(await ledger.entries({ from: index, to: index + 1 })).toMatchObject([{ index, json: receipt.entry }]);
    expect(entry.kind).toBe('hold.placed');
  }
  const { size } = ledger.status();
  await ledger.close();
  return size;
}
