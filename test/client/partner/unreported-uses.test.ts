import { expect, test } from 'vitest';
import { UnreportedUses } from '../../../src/client/partner/unreported-uses.ts';

const USE = { version: 1, host: 'a.example:443', requests: 2 };

test('what a failed report hands back and what came since are one entry a version and host', () => {
  const uses = new UnreportedUses();
  for (let failed = 0; failed < 1_000; failed += 1) {
    uses.add([USE]);
    uses.add(uses.take());
  }
  uses.add([{ ...USE, version: 2 }]);
  uses.add([{ ...USE, host: 'b.example:443' }]);
  expect(uses.take()).toEqual([
    { ...USE, requests: 2_000 },
    { ...USE, version: 2 },
    { ...USE, host: 'b.example:443' },
  ]);
  expect(uses.take()).toEqual([]);
});

test('a report holds no more than a server takes; the rest is in the next', () => {
  const uses = new UnreportedUses();
  uses.add(Array.from({ length: 100 }, (_, at) => ({ ...USE, version: at + 1 })));
  expect([uses.take().length, uses.take().length, uses.take().length]).toEqual([64, 36, 0]);
});
