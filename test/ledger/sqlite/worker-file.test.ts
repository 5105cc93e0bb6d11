import { expect, test } from 'vitest';
import { workerFile } from '../../../src/ledger/sqlite/worker-file.ts';

test.each([
  ['file:///app/src/ledger/sqlite/open.ts', 'file:///app/src/ledger/sqlite/writer/writer.ts'],
  ['file:///app/dist/ledger/sqlite/open.js', 'file:///app/dist/ledger/sqlite/writer/writer.js'],
])('a worker of %s has the extension of the module that asks', (from, expected) => {
  expect(workerFile('./writer/writer', from).href).toBe(expected);
});
