import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { TreeHead } from '../../../../src/audit/checkpoint.ts';
import { verifyReceipt } from '../../../../src/audit/receipt.ts';
import { openSqliteLedger } from '../../../../src/ledger/sqlite/open.ts';
import { freshPlace } from '../place.ts';
import { LedgerChild } from './child.ts';

const ROUNDS = Number(process.env['KEYTURN_KILL_ROUNDS'] ?? 20);
/** A process is killed this long after it began to commit, at most. */
const LONGEST_MS = 120;

let place: Awaited<ReturnType<typeof freshPlace>>;
let child: LedgerChild | undefined;

beforeEach(async () => {
  place = await freshPlace();
});
afterEach(async () => {
  await child?.kill();
  await place.remove();
});

test('killed at any moment, a ledger has everything that it acknowledged, on one tree that only grew', {
  timeout: ROUNDS * 5000,
}, async () => {
  let seen: TreeHead | null = null;
  let acknowledged = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    child = await LedgerChild.start(place);
    child.tell('burst');
    // The moment of the kill is the thing under test.
    await delay(randomInt(LONGEST_MS));
    await child.kill();
    acknowledged += child.all('acknowledged').length;
    seen = await assertWhole(child, seen);
  }
  expect(acknowledged).toBeGreaterThan(ROUNDS);
});

async function assertWhole(killed: LedgerChild, seen: TreeHead | null): Promise<TreeHead | null> {
  // Opening checks the newest entries against the signed head.
  const ledger = await openSqliteLedger({ path: place.path, signer: place.signer, recheckEntries: 1_000_000 });
  const holds = new Set((await ledger.find('holds', {}, { limit: 1_000_000 })).map(({ id }) => id));
  const { size } = ledger.status();
  expect(holds.size).toBe(size);
  for (const { id, receipt } of killed.all('acknowledged')) {
    expect(holds.has(id)).toBe(true);
    const { index } = verifyReceipt(receipt, place.verifier, null);
    const now = await ledger.receipt(index, 0);
    expect(now.entry).toBe(receipt.entry);
    verifyReceipt(now, place.verifier, null);
  }
  const proven = size === 0 ? null : verifyReceipt(await ledger.receipt(0, seen?.size ?? 0), place.verifier, seen);
  await ledger.close();
  return proven === null ? null : { size: proven.size, root: proven.root };
}
