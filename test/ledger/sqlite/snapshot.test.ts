import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { Ledger } from '../../../src/ledger/ledger.ts';
import { canSnapshot, type Snapshotting } from '../../../src/ledger/snapshot.ts';
import { openSqliteLedger } from '../../../src/ledger/sqlite/open.ts';
import { freshPlace } from './place.ts';

const left: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const undo of left.splice(0).reverse()) await undo();
});

async function fresh() {
  const place = await freshPlace();
  left.push(place.remove);
  const ledger = await openSqliteLedger({ path: place.path, signer: place.signer });
  left.push(() => ledger.close());
  if (!canSnapshot(ledger)) throw new Error('it cannot copy itself');
  return { ...place, ledger };
}

function add(ledger: Ledger, n: number) {
  return ledger.commit({
    writes: [{ insert: 'stores', row: { store: `s${n}`, generation: n, digest: 'aa' } }],
    entry: { kind: 'store.seen', actor: 'system', data: { n } },
  });
}

test('a copy made while commits go on is one committed state, with rows and entries of the same changes', async () => {
  const { ledger, path, signer } = await fresh();
  for (let n = 0; n < 200; n += 1) await add(ledger, n);
  const { size: before } = await ledger.head();
  let copying = true;
  let added = 200;
  const load = (async () => {
    while (copying) await add(ledger, added++);
  })();
  const copy = join(path, '..', 'copy.db');
  const head = await ledger.snapshot(copy).finally(() => {
    copying = false;
  });
  await load;
  expect(head.size).toBeGreaterThanOrEqual(before);
  // The writer was not kept waiting: it went on past the copy.
  expect(added).toBeGreaterThan(200);
  expect(ledger.status()).toMatchObject({ state: 'ready', size: added });
  expect((await stat(copy)).mode & 0o777).toBe(0o600);

  const restored = await openSqliteLedger({ path: copy, signer, recheckEntries: Number.MAX_SAFE_INTEGER });
  left.push(() => restored.close());
  expect(await restored.head()).toEqual(head);
  expect(await restored.find('stores', {}, { limit: 100_000 })).toHaveLength(head.size);
  const [entry] = await restored.entries({ descending: true, limit: 1 });
  expect(entry?.index).toBe(head.size - 1);
  expect(await add(restored, 1_000_000)).toMatchObject({ committed: true, index: head.size });
});

test('a copy never takes the place of a file, and a failed one leaves the ledger ready', async () => {
  const { ledger, path } = await fresh();
  await add(ledger, 1);
  const taken = join(path, '..', 'taken.db');
  await ledger.snapshot(taken);
  await expect(ledger.snapshot(taken)).rejects.toMatchObject({ code: 'ledger_unavailable' });
  await expect(ledger.snapshot(join(path, '..', 'nowhere', 'x.db'))).rejects.toMatchObject({
    code: 'ledger_unavailable',
  });
  expect(await add(ledger, 2)).toMatchObject({ committed: true });
});

test('a closed ledger gives no copy', async () => {
  const { ledger, path } = await fresh();
  await ledger.close();
  const closed: Snapshotting = ledger;
  await expect(closed.snapshot(join(path, '..', 'late.db'))).rejects.toMatchObject({ code: 'ledger_unavailable' });
});
