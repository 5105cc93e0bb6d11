import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { everyRow, pageOf, rowPages } from '../../src/ledger/pages.ts';
import { openSqliteLedger } from '../../src/ledger/sqlite/open.ts';
import { change, credential, store, version } from '../conformance/ledger-rows.ts';
import { freshPlace } from './sqlite/place.ts';

/** One credential has more versions than are read at a time. */
const VERSIONS = { a: 700, b: 700, c: 2_300, d: 5 };
const STORES = 2_500;

let ledger: Ledger;
let remove: () => Promise<void>;
beforeAll(async () => {
  const place = await freshPlace();
  ({ remove } = place);
  ledger = await openSqliteLedger(place);
  const versions = Object.entries(VERSIONS).flatMap(([name, count]) =>
    Array.from({ length: count }, (_, at) => version(name, at + 1, { state: 'retired' })),
  );
  await ledger.commit(
    change('a.change', {
      writes: [
        ...Object.keys(VERSIONS).map((name) => ({ insert: 'credentials', row: credential(name) }) as const),
        ...versions.map((row) => ({ insert: 'versions', row }) as const),
        ...Array.from({ length: STORES }, (_, at) => ({ insert: 'stores', row: store(`s${at}`, at % 2) }) as const),
      ],
    }),
  );
});
afterAll(async () => {
  await ledger.close();
  await remove();
});

test('all rows come, each once, a bounded number at a time', async () => {
  const sizes: number[] = [];
  const names = new Set<string>();
  for await (const rows of rowPages(ledger, 'stores', { generation: 1 }, 'store')) {
    sizes.push(rows.length);
    for (const row of rows) names.add(row.store);
  }
  expect(names.size).toBe(STORES / 2);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(1_000);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(STORES / 2);
  expect(await everyRow(ledger, 'stores', { generation: 7 }, 'store')).toEqual([]);
});

test('rows of one value come in one page, also where there are more than a page of them', async () => {
  const pages: string[][] = [];
  let all = 0;
  for await (const rows of rowPages(ledger, 'versions', {}, 'credential')) {
    pages.push([...new Set(rows.map((row) => row.credential))]);
    all += rows.length;
  }
  expect(all).toBe(3_705);
  expect(pages.flat()).toEqual(['a', 'b', 'c', 'd']);
});

test('a page is filled with what is kept, and tells where the next begins', async () => {
  const keep = ({ store: name }: { store: string }) => name.endsWith('9');
  const found: string[] = [];
  for (let after = ''; ; ) {
    const { items, next } = await pageOf(ledger, 'stores', {}, { by: 'store', after, limit: 100, keep });
    found.push(...items.map((row) => row.store));
    if (next === null) break;
    expect(items).toHaveLength(100);
    after = next;
  }
  expect(found).toHaveLength(STORES / 10);
  expect(new Set(found).size).toBe(found.length);
  const exact = await pageOf(ledger, 'stores', {}, { by: 'store', after: '', limit: 250, keep });
  expect([exact.items.length, exact.next]).toEqual([250, null]);
});
