import { expect, test } from 'vitest';
import type { BatchAnswer } from '../../../src/ledger/batch/answer.ts';
import { pack, unpack } from '../../../src/ledger/sqlite/packed-answer.ts';

const CHECKPOINT = 'keyturn.test/log\n9\nAAAA\n\n— keyturn.test/log c2ln\n';

const committed = (receipt: object | null) =>
  ({ outcome: { committed: true, index: 7, time: 1_764_000_000_000, receipt } }) as BatchAnswer['results'][number];

const receipt = { index: 7, entry: '{"actor":"service:a b"}', inclusion: ['YQ==', 'Yi8r'], checkpoint: CHECKPOINT };

test('comes out as it went in, whatever became of each change', () => {
  const results = [
    committed(receipt),
    committed({ ...receipt, inclusion: [] }),
    committed({ ...receipt, consistency: { from: 3, path: ['YQ=='] } }),
    committed({ ...receipt, consistency: { from: 9, path: [] } }),
    committed(null),
    committed({ ...receipt, checkpoint: 'of another tree' }),
    { outcome: { committed: false, rule: 'hold-on-version', index: 8 } },
    { outcome: { committed: false, rule: 'hold-on-version', index: null } },
    { error: { code: 'conflict', message: 'There is one.', options: { facts: {} } } },
  ] as const satisfies BatchAnswer['results'];
  const answer = { size: 9, checkpoint: CHECKPOINT, results };
  expect(unpack(structuredClone(pack(answer)))).toEqual(answer);
  const nothing = { size: 9, checkpoint: null, results: [committed(null)] };
  expect(unpack(pack(nothing))).toEqual(nothing);
});

test('has the checkpoint once, however many receipts name it', () => {
  const answer = { size: 9, checkpoint: CHECKPOINT, results: Array.from({ length: 20 }, () => committed(receipt)) };
  expect(JSON.stringify(pack(answer)).split('keyturn.test').length - 1).toBe(2);
});
