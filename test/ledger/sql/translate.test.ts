import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Check } from '../../../src/ledger/change.ts';
import { dollarNumber, questionMark } from '../../../src/ledger/sql/statement.ts';
import {
  checksStatement,
  existsStatement,
  failedRule,
  holding,
  rowChecks,
  selectStatement,
  writeStatement,
} from '../../../src/ledger/sql/translate.ts';
import { store } from '../../conformance/ledger-rows.ts';

test('values never stand in the text, and places match them', () => {
  const where = { target: 'host', lifted_at: null, id: { in: ['a', 'b'] }, placed_at: { gt: 5 } };
  expect(existsStatement('holds', where, dollarNumber)).toEqual({
    sql: 'SELECT 1 AS found FROM holds WHERE target = $1 AND lifted_at IS NULL AND id IN ($2, $3) AND placed_at > $4 LIMIT 1',
    values: ['host', 'a', 'b', 5],
  });
  const hold: Check = { rule: 'hold', table: 'holds', none: where };
  const known: Check = { rule: 'store', table: 'stores', some: { store: 's' } };
  const checks: readonly Check[] = [hold, { rule: 'expired', notAfter: 7 }, known];
  const asked = rowChecks(checks);
  expect(asked).toEqual([hold, known]);
  expect(checksStatement(asked, dollarNumber)).toEqual({
    sql: 'SELECT NOT EXISTS (SELECT 1 FROM holds WHERE target = $1 AND lifted_at IS NULL AND id IN ($2, $3) AND placed_at > $4) AS check_0, EXISTS (SELECT 1 FROM stores WHERE store = $5) AS check_1',
    values: ['host', 'a', 'b', 5, 's'],
  });
  const failed = (row: Record<string, unknown>, time: number) => failedRule(checks, new Set(holding(asked, row)), time);
  expect(failed({ check_0: true, check_1: false }, 8)).toBe('expired');
  expect(failed({ check_0: 1, check_1: 0 }, 7)).toBe('store');
  expect(failed({ check_0: 1, check_1: 1 }, 7)).toBeNull();
  expect(checksStatement([], dollarNumber)).toBeNull();
  expect(selectStatement('stores', {}, { orderBy: 'store', limit: 2 }, questionMark)).toEqual({
    sql: 'SELECT store, generation, digest FROM stores WHERE TRUE ORDER BY store ASC NULLS FIRST LIMIT ?',
    values: [2],
  });
});

test('writes name every column of a row, in one order, however the row was built', () => {
  const insert = writeStatement({ insert: 'stores', row: { digest: 'd', generation: 1, store: 's' } }, dollarNumber);
  expect(insert).toEqual({
    sql: 'INSERT INTO stores (store, generation, digest) VALUES ($1, $2, $3)',
    values: ['s', 1, 'd'],
  });
  const put = writeStatement({ put: 'stores', row: store('s', 1) }, questionMark);
  expect(put.sql).toBe(
    'INSERT INTO stores (store, generation, digest) VALUES (?, ?, ?) ON CONFLICT (store) DO UPDATE SET generation = excluded.generation, digest = excluded.digest',
  );
  const update = writeStatement({ update: 'stores', where: { store: 's' }, set: { generation: 2 } }, dollarNumber);
  expect(update).toEqual({ sql: 'UPDATE stores SET generation = $1 WHERE store = $2', values: [2, 's'] });
});

test('whatever is asked, the text holds nothing that came from outside', () => {
  const anything = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('__proto__', 'constructor', 'id --'));
  fc.assert(
    fc.property(fc.dictionary(anything, fc.anything()), anything, (where, orderBy) => {
      try {
        const { sql } = selectStatement('stores', where, { orderBy }, questionMark);
        expect(sql).toMatch(/^SELECT [a-z, ]+ FROM stores WHERE [a-zA-Z_0-9 ?=<>(),]+$/);
      } catch (error) {
        expect(error).toMatchObject({ code: 'invalid_input' });
      }
    }),
  );
});

test.each([
  ['two operators at once', { generation: { gt: 1, lte: 2 } }],
  ['an unknown operator', { generation: { like: 'x' } }],
  ['no operator', { generation: {} }],
  ['more than a thousand values', { generation: { in: Array.from({ length: 1001 }, (_, n) => n) } }],
  ['a value of another kind', { generation: true }],
])('a condition with %s is refused', (_, where) => {
  const check = { rule: 'a', table: 'stores', some: where as object } as const;
  expect(() => checksStatement([check], questionMark)).toThrow(expect.objectContaining({ code: 'invalid_input' }));
});

test('an insert is written for the one database and for the other, and for each table', () => {
  const stores = { insert: 'stores', row: { store: 's', generation: 1, digest: 'd' } } as const;
  const policies = { insert: 'policies', row: { id: 'current', digest: 'd', loaded_at: 1 } } as const;
  for (let times = 0; times < 2; times += 1) {
    expect(writeStatement(stores, questionMark)).toEqual({
      sql: 'INSERT INTO stores (store, generation, digest) VALUES (?, ?, ?)',
      values: ['s', 1, 'd'],
    });
    expect(writeStatement(stores, dollarNumber).sql).toBe(
      'INSERT INTO stores (store, generation, digest) VALUES ($1, $2, $3)',
    );
    expect(writeStatement(policies, dollarNumber).sql).toBe(
      'INSERT INTO policies (id, digest, loaded_at) VALUES ($1, $2, $3)',
    );
  }
});
