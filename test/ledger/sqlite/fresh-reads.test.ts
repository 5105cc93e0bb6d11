import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Condition, Where } from '../../../src/ledger/change.ts';
import type { Ledger } from '../../../src/ledger/ledger.ts';
import { remembered } from '../../../src/ledger/remembered.ts';
import { openSqliteLedger } from '../../../src/ledger/sqlite/open.ts';
import { change, credential } from '../../conformance/ledger-rows.ts';
import { freshPlace } from './place.ts';

let place: Awaited<ReturnType<typeof freshPlace>>;
let ledger: Ledger;
beforeEach(async () => {
  place = await freshPlace();
  ledger = await openSqliteLedger({ path: place.path, signer: place.signer });
});
afterEach(async () => {
  await ledger.close();
  await place.remove();
});

const make = (name: string) =>
  ledger.commit(change('a.made', { writes: [{ insert: 'credentials', row: credential(name) }] }));
const names = (rows: readonly { readonly name: string }[]) => rows.map(({ name }) => name);

test('what was read while the next batch was under way is read anew once that is durable', async () => {
  for (let round = 0; round < 20; round += 1) {
    const last = `lean/r${round}-49`;
    const first = make(`lean/r${round}`);
    await new Promise((resolve) => setImmediate(resolve));
    const next = Array.from({ length: 50 }, (_, n) => make(`lean/r${round}-${n}`));
    await first;
    await ledger.find('credentials', { name: last });
    await Promise.all(next);
    expect(names(await ledger.find('credentials', { name: last }))).toEqual([last]);
  }
});

test('one remembered condition is another question in another order, or with another limit', async () => {
  for (const name of ['lean/a', 'lean/b', 'lean/c']) await make(name);
  const ofPartner = remembered((partner: string): Where<'credentials'> => ({ partner }));
  const where = ofPartner('lean');
  const [up, down] = [{ orderBy: 'name' }, { orderBy: 'name', descending: true }] as const;
  for (let times = 0; times < 2; times += 1) {
    expect(names(await ledger.find('credentials', where, up))).toEqual(['lean/a', 'lean/b', 'lean/c']);
    expect(names(await ledger.find('credentials', where, down))).toEqual(['lean/c', 'lean/b', 'lean/a']);
    expect(names(await ledger.find('credentials', where, { ...up, limit: 1 }))).toEqual(['lean/a']);
    expect(names(await ledger.find('credentials', ofPartner('other'), up))).toEqual([]);
  }
});

test('a condition that its caller changes is another question', async () => {
  await make('lean/a');
  await make('lean/b');
  const where: { name: Condition } = { name: 'lean/a' };
  expect(names(await ledger.find('credentials', where))).toEqual(['lean/a']);
  where.name = 'lean/b';
  expect(names(await ledger.find('credentials', where))).toEqual(['lean/b']);
});
