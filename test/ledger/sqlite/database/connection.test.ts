import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { Statements } from '../../../../src/ledger/sqlite/database/connection.ts';

test('each text has its own statement, what is used stays, and what is not used for long goes', () => {
  const statements = new Statements(new DatabaseSync(':memory:'));
  const used = statements.prepare('SELECT -1 AS n');
  const once = statements.prepare('SELECT -2 AS n');
  for (let n = 0; n < 1_000; n += 1) {
    expect(statements.prepare(`SELECT ${n} AS n`).get()).toEqual({ n });
    expect(statements.prepare('SELECT -1 AS n')).toBe(used);
  }
  expect(statements.prepare('SELECT -2 AS n')).not.toBe(once);
  expect(statements.prepare('SELECT -2 AS n').get()).toEqual({ n: -2 });
});
