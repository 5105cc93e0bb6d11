import { describe, expect, test } from 'vitest';
import type { Change, Condition } from '../../src/ledger/change.ts';
import { columnsOf } from '../../src/ledger/sql/columns.ts';
import type { TableName } from '../../src/ledger/tables.ts';
import type { Subject } from './ledger.ts';
import { change, credential, hold, lease, store, version } from './ledger-rows.ts';

/** Checks, writes and their refusals. */
export function checksAndWrites(subject: () => Subject): void {
  const commit = (what: Change) => subject().ledger.commit(what);

  describe('a change', () => {
    test('whose check fails writes nothing, and leaves its refusal with the rule', async () => {
      await commit(change('hold.placed', { writes: [{ insert: 'holds', row: hold('h1') }] }));
      const outcome = await commit(
        change('lease.granted', {
          checks: [
            { rule: 'store-unknown', table: 'stores', none: { store: 'file' } },
            { rule: 'hold-on-host', table: 'holds', none: { target: 'host', lifted_at: null } },
          ],
          writes: [{ insert: 'stores', row: store('file', 1) }],
          refusal: { kind: 'access.denied', actor: 'service:payments', data: { permission: 'lease' } },
        }),
      );
      expect(outcome).toEqual({ committed: false, rule: 'hold-on-host', index: 1 });
      expect(await subject().ledger.find('stores', {})).toEqual([]);
      const [entry] = await subject().ledger.entries({ from: 1 });
      expect(JSON.parse(entry?.json ?? '')).toMatchObject({
        kind: 'access.denied',
        data: { permission: 'lease', rule: 'hold-on-host' },
      });
    });

    test('is counted as it is found, without a limit', async () => {
      const writes = Array.from(
        { length: 1_050 },
        (_, n) => ({ insert: 'stores', row: store(`s${n}`, n % 3) }) as const,
      );
      await commit(change('store.seen', { writes }));
      const { ledger } = subject();
      expect(await ledger.count('stores', {})).toBe(1_050);
      expect(await ledger.count('stores', { generation: { in: [0, 1] } })).toBe(700);
      expect(await ledger.count('holds', {})).toBe(0);
      await expect(ledger.count('stores', { nothing: 1 } as never)).rejects.toMatchObject({ code: 'invalid_input' });
    });

    test('whose check fails without a refusal leaves no trace', async () => {
      const outcome = await commit(
        change('lease.granted', {
          checks: [{ rule: 'version-current', table: 'versions', some: { state: 'current' } }],
        }),
      );
      expect(outcome).toEqual({ committed: false, rule: 'version-current', index: null });
      expect((await subject().ledger.head()).size).toBe(0);
    });

    test('that meets a row with the same key conflicts, alone among its neighbours', async () => {
      const changes = ['h1', 'h1', 'h2'].map((id, n) =>
        commit(
          change('hold.placed', {
            writes: [
              { put: 'stores', row: store(`beside-${n}`, 1) },
              { insert: 'holds', row: hold(id) },
            ],
          }),
        ),
      );
      const [first, second, third] = await Promise.allSettled(changes);
      expect(first).toMatchObject({ status: 'fulfilled', value: { index: 0 } });
      expect(second).toMatchObject({ status: 'rejected', reason: { code: 'conflict' } });
      expect(third).toMatchObject({ status: 'fulfilled', value: { index: 1 } });
      const stores = await subject().ledger.find('stores', {}, { orderBy: 'store' });
      expect(stores.map((row) => row.store)).toEqual(['beside-0', 'beside-2']);
      expect((await subject().ledger.head()).size).toBe(2);
    });

    test('undoes its earlier writes when a later one conflicts', async () => {
      await commit(change('hold.placed', { writes: [{ insert: 'holds', row: hold('h1') }] }));
      const attempt = commit(
        change('hold.placed', {
          writes: [
            { put: 'stores', row: store('file', 1) },
            { insert: 'holds', row: hold('h1') },
          ],
        }),
      );
      await expect(attempt).rejects.toMatchObject({ code: 'conflict' });
      expect(await subject().ledger.find('stores', {})).toEqual([]);
    });

    test('conflicts when an update touches another number of rows than it says', async () => {
      await commit(change('hold.placed', { writes: [{ insert: 'holds', row: hold('h1') }] }));
      const lift = (rows: number) =>
        commit(
          change('hold.lifted', {
            writes: [{ update: 'holds', where: { id: 'h1', lifted_at: null }, set: { lifted_at: 5 }, rows }],
          }),
        );
      await expect(lift(2)).rejects.toMatchObject({ code: 'conflict' });
      expect(await subject().ledger.find('holds', { lifted_at: null })).toHaveLength(1);
      expect(await lift(1)).toMatchObject({ committed: true });
      await expect(lift(1)).rejects.toMatchObject({ code: 'conflict' });
      expect(await lift(0)).toMatchObject({ committed: true });
    });

    test('puts a row in the place of the one with its key, and keeps what refers to it', async () => {
      await commit(
        change('version.imported', {
          writes: [
            { put: 'credentials', row: credential('lean/sandbox') },
            { insert: 'versions', row: version('lean/sandbox', 1) },
          ],
        }),
      );
      await commit(
        change('credential.changed', {
          writes: [{ put: 'credentials', row: { ...credential('lean/sandbox'), partner: 'other' } }],
        }),
      );
      expect(await subject().ledger.find('credentials', {})).toEqual([
        { ...credential('lean/sandbox'), partner: 'other' },
      ]);
      expect(await subject().ledger.find('versions', {})).toHaveLength(1);
    });

    test('is judged by the ledger clock, the last instant included', async () => {
      const { clock } = subject();
      const binding = (notAfter: number) =>
        commit(change('a.lease', { checks: [{ rule: 'binding-expired', notAfter }] }));
      expect(await binding(clock.time)).toMatchObject({ committed: true });
      expect(await binding(clock.time - 1)).toEqual({ committed: false, rule: 'binding-expired', index: null });
    });

    test('is judged by the clock also after it ran ahead and was set right, though entries do not step back', async () => {
      const { clock } = subject();
      const start = clock.time;
      const token = change('a.lease', { checks: [{ rule: 'token-expired', notAfter: start + 60_000 }] });
      clock.time = start + 3_600_000;
      expect(await commit(token)).toMatchObject({ committed: false, rule: 'token-expired' });
      await commit(change('authentication.failed', {}));
      clock.time = start;
      expect(await commit(token)).toMatchObject({ committed: true });
    });

    test('sees the changes before it, also those of the same batch: one of many takes the place', async () => {
      const outcomes = await Promise.all(
        Array.from({ length: 300 }, (_, n) =>
          commit(
            change('hold.placed', {
              checks: [{ rule: 'hold-unknown', table: 'holds', none: { subject: 'one' } }],
              writes: [{ insert: 'holds', row: hold(`h${n}`, { subject: 'one' }) }],
            }),
          ),
        ),
      );
      expect(outcomes.filter((outcome) => outcome.committed)).toHaveLength(1);
      expect((await subject().ledger.head()).size).toBe(1);
    });

    test.each([
      ['a table', { put: 'sqlite_master', row: {} }],
      ['a column of an update', { update: 'holds', where: {}, set: { 'lifted_at = 1 --': 1 } }],
      ['a column of a condition', { update: 'holds', where: { '1 = 1 OR id': 'x' }, set: { lifted_at: 1 } }],
      ['a column of a row', { put: 'stores', row: { ...store('file', 1), constructor: 1 } }],
    ])('that names %s which is not on the list is refused', async (_, write) => {
      // The type forbids it; the ledger must too.
      const attempt = commit(change('a.change', { writes: [write as unknown as never] }));
      await expect(attempt).rejects.toMatchObject({ code: 'invalid_input' });
      expect(subject().ledger.status().state).toBe('ready');
    });

    test.each([
      ['half of a surrogate pair', '\ud800'],
      ['a NUL', 'a\0b'],
      ['a fraction', 1.5],
      ['no value', undefined],
      ['a number too large to be exact', 2 ** 53],
    ])('with a cell of %s is refused', async (_, cell) => {
      const row = { ...store('file', 1), digest: cell as unknown as string };
      const attempt = commit(change('a.change', { writes: [{ put: 'stores', row }] }));
      await expect(attempt).rejects.toMatchObject({ code: 'invalid_input' });
      expect(await commit(change('a.next'))).toMatchObject({ committed: true, index: 0 });
    });

    test('whose entry cannot be recorded is refused, with its writes', async () => {
      const attempt = commit({
        writes: [{ put: 'stores', row: store('file', 1) }],
        entry: { kind: 'a.change', actor: 'system', data: { big: 'x'.repeat(70_000) } },
      });
      await expect(attempt).rejects.toMatchObject({ code: 'invalid_input' });
      expect(await subject().ledger.find('stores', {})).toEqual([]);
    });
  });

  describe('the rules of versions', () => {
    const insert = (row: ReturnType<typeof version>) =>
      commit(change('version.imported', { writes: [{ insert: 'versions', row }] }));

    test('a version or a lease without what it refers to conflicts', async () => {
      await expect(insert(version('unknown', 1))).rejects.toMatchObject({ code: 'conflict' });
      const row = lease('l1', { credential: 'unknown', version: 1 });
      const attempt = commit(change('lease.granted', { writes: [{ insert: 'leases', row }] }));
      await expect(attempt).rejects.toMatchObject({ code: 'conflict' });
    });

    test('a key comes once in all time, except one that never reached its store', async () => {
      await commit(change('credential.made', { writes: [{ insert: 'credentials', row: credential('a') }] }));
      await insert(version('a', 1, { spki: 'k', state: 'abandoned' }));
      await insert(version('a', 2, { spki: 'k', state: 'destroyed' }));
      await expect(insert(version('a', 3, { spki: 'k' }))).rejects.toMatchObject({ code: 'conflict' });
      await insert(version('a', 3, { spki: 'k', state: 'abandoned' }));
    });

    test('at most one version of a credential is current', async () => {
      await commit(change('credential.made', { writes: [{ insert: 'credentials', row: credential('a') }] }));
      await insert(version('a', 1, { state: 'current' }));
      await expect(insert(version('a', 2, { state: 'current' }))).rejects.toMatchObject({ code: 'conflict' });
      await insert(version('a', 2));
      const promoted = await commit(
        change('version.promoted', {
          writes: [
            { update: 'versions', where: { credential: 'a', state: 'current' }, set: { state: 'previous' }, rows: 1 },
            { update: 'versions', where: { credential: 'a', version: 2 }, set: { state: 'current' }, rows: 1 },
          ],
        }),
      );
      expect(promoted.committed).toBe(true);
    });
  });

  describe('a question', () => {
    const ids = async (where: { readonly [column: string]: Condition }) =>
      (await subject().ledger.find('holds', where, { orderBy: 'id' })).map(({ id }) => id);

    test.each<[string, { readonly [column: string]: Condition }, string[]]>([
      ['nothing asked', {}, ['a', 'b', 'c']],
      ['equal', { id: 'b' }, ['b']],
      ['null', { lifted_at: null }, ['a']],
      ['one of several', { id: { in: ['a', 'c', 'x'] } }, ['a', 'c']],
      ['one of none', { id: { in: [] } }, []],
      ['greater', { lifted_at: { gt: 5 } }, ['c']],
      ['text that is greater', { id: { gt: 'a' } }, ['b', 'c']],
      ['less or equal', { lifted_at: { lte: 5 } }, ['b']],
      ['not null', { lifted_at: { not: null } }, ['b', 'c']],
      ['not equal, null included', { lifted_at: { not: 5 } }, ['a', 'c']],
      ['two at once', { lifted_at: { not: null }, id: { in: ['a', 'b'] } }, ['b']],
    ])('finds by: %s', async (_, where, expected) => {
      const lifted = { a: null, b: 5, c: 9 };
      const writes = Object.entries(lifted).map(
        ([id, lifted_at]) => ({ insert: 'holds', row: hold(id, { lifted_at }) }) as const,
      );
      await commit(change('hold.placed', { writes }));
      expect(await ids(where)).toEqual(expected);
    });

    test('is answered in order, nulls below everything, and no more rows than wanted', async () => {
      const writes = [null, 9, 5].map(
        (lifted_at, n) => ({ insert: 'holds', row: hold(`h${n}`, { lifted_at }) }) as const,
      );
      await commit(change('hold.placed', { writes }));
      const up = await subject().ledger.find('holds', {}, { orderBy: 'lifted_at' });
      const down = await subject().ledger.find('holds', {}, { orderBy: 'lifted_at', descending: true, limit: 2 });
      expect(up.map((row) => row.lifted_at)).toEqual([null, 5, 9]);
      expect(down.map((row) => row.lifted_at)).toEqual([9, 5]);
    });

    test('is answered for every table that a change may name, by every column of it', async () => {
      const tables: Record<TableName, true> = {
        credentials: true,
        versions: true,
        companions: true,
        holds: true,
        leases: true,
        tokens: true,
        stores: true,
        moves: true,
        rotations: true,
        tasks: true,
        policies: true,
        fences: true,
        authorities: true,
        issued: true,
      };
      for (const table of Object.keys(tables) as TableName[]) {
        const where = Object.fromEntries(columnsOf(table).map((column) => [column, { not: null }]));
        expect([table, await subject().ledger.find(table, where)]).toEqual([table, []]);
      }
    });

    test('that names an unknown table or column is refused', async () => {
      const { ledger } = subject();
      await expect(ledger.find('entries' as never, {})).rejects.toMatchObject({ code: 'invalid_input' });
      await expect(ledger.find('holds', { nope: 1 } as never)).rejects.toMatchObject({ code: 'invalid_input' });
      const orderBy = 'id; DROP TABLE holds' as 'id';
      await expect(ledger.find('holds', {}, { orderBy })).rejects.toMatchObject({ code: 'invalid_input' });
    });
  });
}
