import { expect, test } from 'vitest';
import { noHold, noHolds } from '../../../src/credential/hold/checks.ts';
import { HoldSwitch, type Touched } from '../../../src/credential/hold/hold-switch.ts';
import type { HoldTarget } from '../../../src/ledger/tables.ts';

const ONE: Touched = {
  credential: 'lean/sandbox',
  version: 1,
  principal: 'service:payments',
  host: 'web-1',
  stores: ['file', 'archive', 'file'],
};
const OTHER: Touched = {
  credential: 'lean/live',
  version: 2,
  principal: 'service:billing',
  host: 'web-2',
  stores: ['aws'],
};

const SUBJECTS: readonly (readonly [HoldTarget, string, string])[] = [
  ['version', 'lean/sandbox@1', 'lean/live@2'],
  ['credential', 'lean/sandbox', 'lean/live'],
  ['principal', 'service:payments', 'service:billing'],
  ['host', 'web-1', 'web-2'],
  ['store', 'file', 'aws'],
];

test('what is touched is asked about whole, each time, and by nobody else’s', () => {
  for (let times = 0; times < 2; times += 1) {
    const ofOne = SUBJECTS.map(([target, subject]) => noHold(target, subject));
    expect(noHolds(ONE)).toEqual([...ofOne, noHold('store', 'archive')]);
    expect(noHolds(OTHER)).toEqual(SUBJECTS.map(([target, , subject]) => noHold(target, subject)));
  }
});

test.each(SUBJECTS)(
  'a hold on a %s stops what touches it, and nothing else, until it is lifted',
  (target, one, other) => {
    const holds = new HoldSwitch();
    expect(() => holds.refuse(ONE)).not.toThrow();
    holds.place('hold_1', target, one);
    expect(() => holds.refuse(ONE)).toThrow(expect.objectContaining({ code: 'held' }));
    expect(() => holds.refuse(OTHER)).not.toThrow();
    holds.place('hold_2', target, other);
    holds.lift('hold_1');
    expect(() => holds.refuse(ONE)).not.toThrow();
    expect(() => holds.refuse(OTHER)).toThrow(expect.objectContaining({ code: 'held' }));
  },
);
