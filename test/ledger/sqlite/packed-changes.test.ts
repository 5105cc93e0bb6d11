import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Change, Check } from '../../../src/ledger/change.ts';
import { remembered } from '../../../src/ledger/remembered.ts';
import { ChangePacker, ChangeUnpacker } from '../../../src/ledger/sqlite/packed-changes.ts';
import { change } from '../../conformance/ledger-rows.ts';

const unrevoked = remembered((id: string): Check => {
  return { rule: 'token-revoked', table: 'tokens', some: { id, revoked_at: null } };
});

function withChecks(...checks: readonly Check[]): Change {
  return { ...change('a.a'), checks };
}

function pair(most?: number) {
  const told: Check[] = [];
  const packer = new ChangePacker(most);
  const unpacker = new ChangeUnpacker((check) => told.push(check));
  // Through the very copying that a message to a thread goes through.
  return { told, packer, pass: (changes: readonly Change[]) => unpacker.unpack(structuredClone(packer.pack(changes))) };
}

test('gives back what was packed, checks of every kind, refusals and all', () => {
  const { pass } = pair();
  const refusal = { kind: 'access.denied', actor: 'service:payments', data: { host: 'bücher.example' } };
  const batch = [
    { ...withChecks(unrevoked('token_1'), { rule: 'late', notAfter: 7 }), refusal },
    withChecks(unrevoked('token_2'), unrevoked('token_1')),
    change('a.b'),
  ];
  expect(pass(batch)).toEqual([batch[0], batch[1], { ...batch[2], checks: [] }]);
  expect(pass(batch)).toEqual([batch[0], batch[1], { ...batch[2], checks: [] }]);
});

test('tells a check once that callers hand over as one object, and gives it back as one object', () => {
  const { told, packer, pass } = pair();
  const [first, second] = pass([withChecks(unrevoked('token_1')), withChecks(unrevoked('token_1'))]);
  const [third] = pass([withChecks(unrevoked('token_1'))]);
  expect(first?.checks?.[0]).toBe(second?.checks?.[0]);
  expect(first?.checks?.[0]).toBe(third?.checks?.[0]);
  expect(told).toHaveLength(1);
  expect(packer.pack([withChecks(unrevoked('token_1'))]).told).toEqual([]);
});

test('gives no number to a check that is made anew each time', () => {
  const { told, pass } = pair();
  const check: Check = { rule: 'lease-live', table: 'leases', some: { id: 'lease_1', state: 'live' } };
  expect(pass([withChecks(check), withChecks({ ...check })]).map(({ checks }) => checks)).toEqual([[check], [check]]);
  expect(told).toEqual([]);
});

test('begins anew before there are too many, and no number is ever taken for an older check', () => {
  const { told, pass } = pair(3);
  for (let round = 0; round < 20; round += 1) {
    const batch = [0, 1, 2].map((at) => withChecks(unrevoked(`token_${(round * 2 + at) % 7}`)));
    expect(pass(batch)).toEqual(batch);
  }
  expect(told.length).toBeGreaterThan(7);
});

test('however batches, forgotten checks and new beginnings meet, each change keeps its own checks', () => {
  const index = fc.nat({ max: 9 });
  const batches = fc.array(fc.array(fc.array(index, { maxLength: 4 }), { minLength: 1, maxLength: 4 }), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(batches, fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 10 }), (all, most, kept) => {
      const { pass } = pair(most);
      const known = remembered((n: number): Check => {
        return { rule: 'token-revoked', table: 'tokens', some: { id: `token_${n}`, revoked_at: null } };
      }, kept);
      for (const batch of all) {
        const changes = batch.map((numbers) => withChecks(...numbers.map((n) => known(n))));
        expect(pass(changes)).toEqual(changes);
      }
    }),
  );
});
