import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Hours, nextWithin, outsideHours, readHours } from '../../../src/partner/lifecycle/hours.ts';

const WRITTEN = {
  zone: 'Asia/Dubai',
  days: ['mon', 'tue', 'wed', 'thu'],
  from: '09:00',
  to: '17:00',
  closed: [{ from: '2026-12-02', to: '2026-12-03', why: 'National Day' }],
};

function hoursOf(changes: Partial<typeof WRITTEN> = {}): Hours {
  const read = readHours({ ...WRITTEN, ...changes });
  if ('fault' in read) throw new Error(read.fault);
  return read.hours;
}

const at = (text: string) => Date.parse(text);
const told = (instant: number) => new Date(instant).toISOString();

test.each([
  ['2026-11-30T05:00:00Z', null],
  ['2026-11-30T04:59:59Z', 'outside working hours (Asia/Dubai)'],
  ['2026-11-30T12:59:59Z', null],
  ['2026-11-30T13:00:00Z', 'outside working hours (Asia/Dubai)'],
  ['2026-11-27T08:00:00Z', 'not on a fri (Asia/Dubai)'],
  ['2026-12-02T08:00:00Z', 'National Day'],
])('%s is outside hours because of: %s', (instant, why) => {
  expect(outsideHours(hoursOf(), at(instant))).toBe(why);
});

test.each([
  ['now, when now is good', '2026-11-30T06:30:15Z', '2026-11-30T06:30:15.000Z'],
  ['this morning', '2026-11-30T01:00:00Z', '2026-11-30T05:00:00.000Z'],
  ['after the weekend', '2026-11-26T13:00:00Z', '2026-11-30T05:00:00.000Z'],
  ['after a holiday and the weekend', '2026-12-01T14:00:00Z', '2026-12-07T05:00:00.000Z'],
])('the next good time is %s', (_what, from, expected) => {
  expect(told(nextWithin(hoursOf(), at(from), at('2027-06-01T00:00:00Z')))).toBe(expected);
});

test('a preference never goes past the latest time', () => {
  const latest = at('2026-11-28T00:00:00Z');
  expect(nextWithin(hoursOf(), at('2026-11-26T13:00:00Z'), latest)).toBe(latest);
});

test('in a zone that changes its clock too, the next good time is the first minute that is good', () => {
  const zones = fc.constantFrom('Europe/Berlin', 'America/St_Johns', 'Asia/Dubai', 'Australia/Lord_Howe', 'UTC');
  const instants = fc.integer({ min: at('2026-03-20T00:00:00Z') / 60_000, max: at('2026-11-20T00:00:00Z') / 60_000 });
  fc.assert(
    fc.property(zones, instants, (zone, minute) => {
      const hours = hoursOf({ zone });
      const from = minute * 60_000;
      let expected = from;
      while (outsideHours(hours, expected) !== null) expected += 60_000;
      expect(told(nextWithin(hours, from, from + 20 * 86_400_000))).toBe(told(expected));
    }),
    { numRuns: 60 },
  );
});

test.each([
  [{ zone: 'Mars/Olympus' }, ['zone']],
  [{ from: '9' }, ['from']],
  [{ from: '09:60' }, ['from']],
  [{ to: '09:00' }, ['to']],
  [{ to: '24:01' }, ['to']],
  [{ closed: [{ from: '2026-02-30', to: '2026-03-01', why: 'x' }] }, ['closed', 0, 'from']],
  [{ closed: [{ from: '2026-03-02', to: '2026-03-01', why: 'x' }] }, ['closed', 0, 'to']],
])('%j is a fault at %j', (changes, path) => {
  expect(readHours({ ...WRITTEN, ...changes })).toMatchObject({ path });
});
