import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { entriesStatement } from '../../../src/ledger/sql/log.ts';
import { questionMark, type Statement } from '../../../src/ledger/sql/statement.ts';
import { countStatement, selectStatement } from '../../../src/ledger/sql/translate.ts';
import { migrate } from '../../../src/ledger/sqlite/database/schema.ts';

/** A file of our own never has statistics: the planner goes by the shape of indexes alone. */
let database: DatabaseSync;
beforeAll(() => {
  database = new DatabaseSync(':memory:');
  migrate(database);
});
afterAll(() => database.close());

function planOf({ sql, values }: Statement): string {
  const steps = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...values);
  return steps.map(({ detail }) => String(detail)).join('; ');
}

const HOUR = 3_600_000;
const names = { in: ['a/b', 'c/d'] };
const select = (table: string, where: object, options: object = {}) =>
  selectStatement(table, where, options, questionMark);
const count = (table: string, where: object) => countStatement(table, where, questionMark);
const entries = (query: object) => entriesStatement({ limit: 100, ...query }, questionMark);

describe('what the server asks often is found by an index, however many rows there are:', () => {
  test.each([
    [
      'a page of credentials',
      () => select('credentials', { name: { gt: 'a' } }, { orderBy: 'name', limit: 9 }),
      'name>?',
    ],
    ['versions of a page', () => select('versions', { credential: names }, { orderBy: 'record' }), 'credential=?'],
    ['companions of a page', () => select('companions', { credential: names, state: 'current' }), 'credential=?'],
    [
      'live leases of a page, not of all credentials',
      () => select('leases', { credential: names, state: 'live', expires_at: { gt: HOUR } }, { orderBy: 'id' }),
      'leases_live (credential=? AND state=? AND expires_at>?)',
    ],
    [
      'live leases of a version',
      () => count('leases', { credential: 'a/b', version: 1, state: 'live', expires_at: { gt: HOUR } }),
      'leases_live (credential=? AND state=? AND expires_at>?)',
    ],
    [
      'leases that have ended',
      () => select('leases', { state: 'live', expires_at: { lte: HOUR } }, { limit: 100 }),
      'leases_expiry (state=? AND expires_at<?)',
    ],
    [
      'holds on a page',
      () => select('holds', { lifted_at: null, target: { in: ['version'] }, subject: names }, { orderBy: 'id' }),
      'holds_in_force (target=? AND subject=?)',
    ],
    ['a page of tokens', () => select('tokens', { revoked_at: null, id: { gt: 'a' } }, { orderBy: 'id' }), 'id>?'],
    [
      'what ends first',
      () => select('versions', { state: 'current' }, { orderBy: 'not_after', limit: 9 }),
      'versions_ending (state=?)',
    ],
    ['how many there are of a state', () => count('versions', { state: 'staged' }), 'COVERING INDEX versions_ending'],
    [
      'versions in a store',
      () => count('versions', { store: 'file', state: 'current' }),
      'versions_unsettled (store=? AND state=?)',
    ],
    ['what is pending', () => select('versions', { state: 'pending' }), 'versions_ending (state=?)'],
    [
      'what is pending in a store, not all that it holds',
      () => select('versions', { state: 'pending', store: 'file' }),
      'versions_unsettled (store=? AND state=?)',
    ],
    [
      'companions that are pending in a store',
      () => select('companions', { state: 'pending', store: 'file' }, { orderBy: 'generation' }),
      'companions_unsettled (store=? AND state=?)',
    ],
    ['moves that are open', () => select('moves', { state: { in: ['copying'] } }, { orderBy: 'id' }), 'moves_state'],
    ['entries of a credential', () => entries({ credential: 'a/b', descending: true }), 'entries_credential'],
    ['entries of a kind', () => entries({ kind: 'lease.granted', descending: true }), 'entries_kind'],
    ['entries of an actor', () => entries({ actor: 'person:alice' }), 'entries_actor'],
  ])('%s', (_, statement, by) => {
    const plan = planOf(statement());
    expect(plan).toContain(by);
    expect(plan).not.toMatch(/SCAN(?! CONSTANT)/);
    // Newest and lowest first come from the index itself.
    if (by.startsWith('entries') || by.startsWith('versions_ending')) expect(plan).not.toContain('TEMP B-TREE');
  });
});
