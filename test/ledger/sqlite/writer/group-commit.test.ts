import { generateKeyPairSync } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { beforeEach, expect, test } from 'vitest';
import { LogSigner } from '../../../../src/audit/checkpoint.ts';
import { TreeFrontier } from '../../../../src/audit/tree.ts';
import { Statements } from '../../../../src/ledger/sqlite/database/connection.ts';
import { migrate } from '../../../../src/ledger/sqlite/database/schema.ts';
import { TreeRows } from '../../../../src/ledger/sqlite/database/tree-rows.ts';
import { GroupCommit } from '../../../../src/ledger/sqlite/writer/group-commit.ts';
import { change, hold } from '../../../conformance/ledger-rows.ts';

let database: DatabaseSync;
let nodes: TreeRows;
let group: GroupCommit;

beforeEach(() => {
  database = new DatabaseSync(':memory:');
  migrate(database);
  const statements = new Statements(database);
  database.exec("INSERT INTO head (id, size, frontier, time) VALUES (1, 0, x'', 0)");
  nodes = new TreeRows(statements);
  const signer = LogSigner.create('keyturn.test/log', generateKeyPairSync('ed25519').privateKey);
  group = new GroupCommit(statements, signer, nodes, { frontier: TreeFrontier.empty(), time: 0, behind: false });
});

/** Every COMMIT fails from now on: a deferred reference to a row that is not there is judged at the commit alone. */
function breakCommits(): void {
  database.exec(`
    CREATE TABLE parent (id INTEGER PRIMARY KEY);
    CREATE TABLE child (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED);
    CREATE TRIGGER orphan AFTER INSERT ON entries BEGIN INSERT INTO child VALUES (1); END;
  `);
}

test('a commit that fails answers nothing, and no proof is made of what it would have appended', () => {
  group.run(1, [change('a.first')]);
  breakCommits();
  expect(() => group.run(2, [change('a.second'), change('a.third')])).toThrow('FOREIGN KEY');
  database.exec('ROLLBACK');
  expect(nodes.node(0, 0)).toHaveLength(32);
  for (const [level, index] of [
    [0, 1],
    [0, 2],
    [1, 0],
  ] as const) {
    expect(() => nodes.node(level, index)).toThrow('lacks node');
  }
});

test('a head that somebody else moved fails the commit', () => {
  database.exec('UPDATE head SET size = 7');
  expect(() => group.run(1, [change('a.first')])).toThrow('not at 0 any more');
});

test('a batch that appends nothing leaves neither a commit nor a checkpoint', () => {
  const refused = change('a.change', { checks: [{ rule: 'never', table: 'holds', some: {} }] });
  const answer = group.run(1, [refused]);
  expect(answer).toMatchObject({ size: 0, checkpoint: null });
  expect(database.prepare('SELECT count(*) AS n FROM checkpoints').get()?.['n']).toBe(0);
});

test('one check object in many changes of a batch is answered anew after a write to its table', () => {
  const unheld = {
    rule: 'hold-on-host',
    table: 'holds',
    none: { target: 'host', subject: 'api.example.com', lifted_at: null },
  } as const;
  const lend = change('lease.granted', { checks: [unheld] });
  const place = change('hold.placed', { writes: [{ insert: 'holds', row: hold('hold_1') }] });
  const lift = change('hold.lifted', {
    writes: [{ update: 'holds', where: { id: 'hold_1' }, set: { lifted_at: 2 }, rows: 1 }],
  });
  const { results } = group.run(1, [lend, place, lend, place, lend, lift, lend]);
  const told = results.map((result) => ('outcome' in result ? result.outcome.committed : result.error.code));
  expect(told).toEqual([true, true, false, 'conflict', false, true, true]);
});

test('what a change wrote before it failed is gone for the checks after it', () => {
  const unheld = { rule: 'hold-on-host', table: 'holds', none: { lifted_at: null } } as const;
  const lend = change('lease.granted', { checks: [unheld] });
  const torn = change('hold.placed', {
    writes: [
      { insert: 'holds', row: hold('hold_1') },
      { insert: 'holds', row: hold('hold_1') },
    ],
  });
  const { results } = group.run(1, [lend, torn, lend]);
  const told = results.map((result) => ('outcome' in result ? result.outcome.committed : result.error.code));
  expect(told).toEqual([true, 'conflict', true]);
});
