import { beforeEach, expect, test } from 'vitest';
import { SeenLog } from '../../../src/client/lease/seen-log.ts';
import { codeOf, draft, MemoryLog } from '../../audit/log.ts';

/** The log that was lost: 20 entries, all of them seen; the backup holds 8 of them. */
const lost = MemoryLog.ofBatches([4, 4, 6, 6]);
const restored = lost.restored(8, 2);
restored.batch([draft(9), draft(10), draft(11)]);

let seen: SeenLog;
beforeEach(() => {
  seen = new SeenLog(lost.verifier);
  seen.verify(lost.receipt(19, 0));
});

const afterRestore = (index: number) => ({ ...restored.receipt(index, 8), generations: restored.statements });

test('after a restore an access stands below what was seen, and is taken', () => {
  seen.verify(afterRestore(9));
  expect([seen.size, seen.generation]).toEqual([12, 2]);
  expect(seen.takeNews()).toMatchObject({ code: 'log_restored', facts: { base: 8, seen: 20 } });
  restored.batch([draft(12)]);
  seen.verify(restored.receipt(12, 12));
  expect(codeOf(() => seen.verify(restored.receipt(11, 13)))).toBe('receipt_invalid');
});

test('an access from before a restore was not asked for since, and changes nothing', () => {
  expect(codeOf(() => seen.verify(afterRestore(7)))).toBe('receipt_invalid');
  expect([seen.size, seen.generation, seen.takeNews()]).toEqual([20, 1, null]);
});
