import { expect, test } from 'vitest';
import { UnreportedUses } from '../../../src/client/partner/unreported-uses.ts';

const USE = { version: 1, host: 'a.example:443', requests: 2 };

test('what a failed report hands back and what came since are one entry a version and host', () => {
  const uses = new UnreportedUses(() => 0);
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
  const uses = new UnreportedUses(() => 0);
  uses.add(Array.from({ length: 100 }, (_, at) => ({ ...USE, version: at + 1 })));
  expect([uses.take().length, uses.take().length, uses.take().length]).toEqual([64, 36, 0]);
});

test('failures are counted with how long ago the first one was, however often a report of them has failed', () => {
  let now = 0;
  const uses = new UnreportedUses(() => now);
  uses.fail(1, USE.host);
  now = 10_000;
  uses.add(uses.take());
  uses.fail(1, USE.host);
  uses.add([USE]);
  now = 15_000;
  expect(uses.take()).toEqual([{ ...USE, failures: 2, failedAgo: 15 }]);
  uses.fail(1, USE.host);
  now = 0;
  // A wall clock that was set back.
  expect(uses.take()).toMatchObject([{ requests: 0, failures: 1, failedAgo: 0 }]);
});

test('no count is larger than a server takes', () => {
  const uses = new UnreportedUses(() => 0);
  for (let at = 0; at < 3; at += 1) uses.add([{ ...USE, requests: 1e9, failures: 1e9, failedAgo: 80_000 * at }]);
  expect(uses.take()).toEqual([{ ...USE, requests: 1e9, failures: 1e9, failedAgo: 86_400 }]);
});
