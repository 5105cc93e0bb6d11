import { hash } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { beforeEach, expect, test } from 'vitest';
import { Statements } from '../../../../src/ledger/sqlite/database/connection.ts';
import { TreeRows } from '../../../../src/ledger/sqlite/database/tree-rows.ts';

const LEVELS = [1, 3, 4, 5, 12];
const NODES = 700;

let nodes: TreeRows;
const hashOf = (level: number, index: number) => hash('sha256', `${level} ${index}`, 'buffer');

beforeEach(() => {
  const database = new DatabaseSync(':memory:');
  database.exec('CREATE TABLE tree_nodes (level INTEGER, idx INTEGER, hash BLOB, PRIMARY KEY (level, idx))');
  const insert = database.prepare('INSERT INTO tree_nodes VALUES (?, ?, ?)');
  for (const level of LEVELS) {
    for (let index = 0; index < NODES; index += 1) insert.run(level, index, hashOf(level, index));
  }
  nodes = new TreeRows(new Statements(database));
});

test('every node is its own at every level, also past what is kept', () => {
  for (let times = 0; times < 2; times += 1) {
    for (const level of LEVELS) {
      for (let index = 0; index < NODES; index += 1) expect(nodes.node(level, index)).toEqual(hashOf(level, index));
    }
  }
  expect(() => nodes.node(4, NODES)).toThrow(/./);
});

test('one high node is one Buffer, until there are too many of them', () => {
  const first = nodes.node(4, 0);
  expect(nodes.node(4, 0)).toBe(first);
  for (let n = 1; n < 1_024; n += 1) nodes.node(n < NODES ? 4 : 5, n % NODES);
  expect(nodes.node(4, 0)).toBe(first);
  nodes.node(12, 0);
  expect(nodes.node(4, 0)).not.toBe(first);
  expect(nodes.node(4, 0)).toEqual(first);
});

test('a low node is a copy', () => {
  nodes.node(3, 0).fill(0);
  expect(nodes.node(3, 0)).toEqual(hashOf(3, 0));
});
