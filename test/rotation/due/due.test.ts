import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DUE_REASONS, DUE_RULES, type DueFacts, type DueReason } from '../../../src/rotation/due/check.ts';
import { beginsNow, type ChangeFreeze, dueNow, forecast, nextDue } from '../../../src/rotation/due/due.ts';
import { isWarnedOf, nearnessOf } from '../../../src/rotation/due/expiry-warning.ts';

const DAY = 86_400_000;
const START = Date.parse('2026-03-02T00:00:00Z');
const ISSUANCE: DueFacts['lifecycle']['issuance'] = {};

function facts(changes: Partial<DueFacts> = {}): DueFacts {
  return {
    credential: 'lean/sandbox',
    version: 1,
    notBefore: START,
    notAfter: START + 300 * DAY,
    currentSince: START,
    compromisedAt: null,
    seenByPersonAt: null,
    againstPolicySince: null,
    issuerEndsAt: null,
    lifecycle: { issuance: ISSUANCE, hours: null },
    ...changes,
  };
}

const options = { rules: DUE_RULES, freezes: [] as ChangeFreeze[] };
const yearly = { ...DUE_RULES, maxAge: 100 * 86_400 };

describe('the reasons, each by itself', () => {
  const cases: readonly [DueReason, Partial<DueFacts>, number, typeof DUE_RULES][] = [
    ['compromised', { compromisedAt: START + DAY }, 1, DUE_RULES],
    ['seen-by-person', { seenByPersonAt: START + 2 * DAY }, 2, DUE_RULES],
    ['against-policy', { againstPolicySince: START + 3 * DAY }, 3, DUE_RULES],
    ['issuer-ends', { issuerEndsAt: START + 50 * DAY }, 43, DUE_RULES],
    ['lifetime-share', {}, 200, DUE_RULES],
    ['age', {}, 100, yearly],
    ['expiry', { lifecycle: { issuance: { ...ISSUANCE, leadTime: 100 * 86_400 }, hours: null } }, 193, DUE_RULES],
  ];
  test.each(cases)('%s', (reason, changes, day, rules) => {
    const at = START + day * DAY;
    expect(dueNow(facts(changes), at - 1, { ...options, rules })).toBeNull();
    expect(dueNow(facts(changes), at, { ...options, rules })).toMatchObject({ reason, since: at });
    expect(nextDue(facts(changes), START, { ...options, rules })).toMatchObject({ reason, since: at });
  });

  test('every reason has its case', () => {
    expect(cases.map(([reason]) => reason).toSorted()).toEqual(DUE_REASONS.toSorted());
  });
});

test('of reasons that hold together the worst is told', () => {
  const all = { compromisedAt: START, seenByPersonAt: START, againstPolicySince: START, issuerEndsAt: START };
  const late = START + 299 * DAY;
  expect(dueNow(facts(all), late, options)?.reason).toBe('compromised');
  expect(dueNow(facts({ ...all, compromisedAt: null }), late, options)?.reason).toBe('seen-by-person');
  expect(dueNow(facts(), late, options)?.reason).toBe('expiry');
});

describe('when it begins', () => {
  const hours = {
    zone: 'UTC',
    days: new Set([1, 2, 3, 4, 5]),
    from: 540,
    to: 1_020,
    closed: [],
  };

  test('what is urgent waits for nothing', () => {
    const urgent = facts({ compromisedAt: START, lifecycle: { issuance: ISSUANCE, hours } });
    const freezes = [{ from: START - DAY, to: START + 30 * DAY, why: 'year end' }];
    expect(dueNow(urgent, START, { ...options, freezes })?.at).toBe(START);
  });

  test('a key that a person was shown waits for hours and change freezes, a week at most, and is not spread', () => {
    const seen = { seenByPersonAt: START };
    expect(dueNow(facts(seen), START, options)).toMatchObject({ at: START, latest: START + 7 * DAY });
    const short = [{ from: START - DAY, to: START + 2 * DAY - 1, why: 'release' }];
    expect(dueNow(facts(seen), START, { ...options, freezes: short })?.at).toBe(START + 2 * DAY);
    const long = [{ from: START - DAY, to: START + 30 * DAY, why: 'year end' }];
    expect(dueNow(facts(seen), START, { ...options, freezes: long })?.at).toBe(START + 7 * DAY);
    const closing = facts({ ...seen, notAfter: START + 8 * DAY, lifecycle: { issuance: ISSUANCE, hours } });
    const due = dueNow(closing, START, { ...options, freezes: long });
    expect(due?.at).toBe(due?.latest);
    expect(due?.latest ?? 0).toBeLessThan(START + 7 * DAY);
  });

  test('else in the partner’s hours, and in no change freeze', () => {
    const freezes = [{ from: START + 199 * DAY, to: START + 230 * DAY, why: 'summer' }];
    const due = dueNow(facts({ lifecycle: { issuance: ISSUANCE, hours } }), START + 200 * DAY, { ...options, freezes });
    expect(due?.at).toBeGreaterThan(START + 230 * DAY);
    const begins = new Date(due?.at ?? 0);
    expect(hours.days.has(begins.getUTCDay())).toBe(true);
    expect(begins.getUTCHours()).toBeGreaterThanOrEqual(9);
    expect(begins.getUTCHours()).toBeLessThan(17);
  });

  test('but a certificate never expires for hours or freezes', () => {
    const freezes = [{ from: START, to: START + 1_000 * DAY, why: 'for ever' }];
    const never = { ...hours, closed: [{ from: '2026-01-01', to: '2029-01-01', why: 'gone' }] };
    const due = dueNow(facts({ lifecycle: { issuance: ISSUANCE, hours: never } }), START + 200 * DAY, {
      ...options,
      freezes,
    });
    expect(due?.at).toBe(START + 293 * DAY);
  });

  test('of a certificate that lives a day the margin is a share of the day: else it were due for ever', () => {
    const short = facts({ notAfter: START + DAY });
    expect(dueNow(short, START + 0.6 * DAY, options)).toBeNull();
    expect(dueNow(short, START + 0.7 * DAY, options)).toMatchObject({ reason: 'lifetime-share' });
    expect(dueNow(short, START + 0.7 * DAY, options)?.latest).toBeCloseTo(START + (5 / 6) * DAY, -2);
    expect(dueNow(short, START + 0.9 * DAY, options)).toMatchObject({ reason: 'expiry' });
  });

  test.each([1, 7, 14, 21, 30])('certificates of %d days are spread, and heed hours and freezes', (days) => {
    const life = days * DAY;
    const all = Array.from({ length: 20 }, (_, at) => {
      return facts({ credential: `partner-${at}/production`, notAfter: START + life });
    });
    expect(new Set(all.map((one) => nextDue(one, START, options).at)).size).toBe(20);
    const since = START + (2 / 3) * life;
    const freezes = [{ from: since - 1, to: since + 0.12 * life, why: 'release' }];
    for (const one of all)
      expect(nextDue(one, START, { ...options, freezes }).at).toBe(Math.floor(since + 0.12 * life) + 1);
    const closed = { ...hours, closed: [{ from: '2026-01-01', to: '2029-01-01', why: 'gone' }] };
    const lifecycle = { issuance: ISSUANCE, hours: closed };
    const last = nextDue(facts({ notAfter: START + life, lifecycle }), START, options);
    expect(last.at).toBe(last.latest);
    expect(last.latest).toBeLessThan(START + life);
  });

  test('and so it is before the end of its issuer', () => {
    const short = facts({ notAfter: START + DAY, issuerEndsAt: START + 2 * DAY });
    expect(nextDue(short, START, options).reason).toBe('lifetime-share');
    expect(dueNow({ ...short, issuerEndsAt: START + 0.8 * DAY }, START + 0.6 * DAY, options)).toBeNull();
    expect(dueNow({ ...short, issuerEndsAt: START + 0.8 * DAY }, START + 0.65 * DAY, options)?.reason).toBe(
      'issuer-ends',
    );
  });

  test('whoever comes late begins in hours too, until it can’t wait any more', () => {
    const some = facts({ lifecycle: { issuance: ISSUANCE, hours } });
    const due = nextDue(some, START, options);
    const midnight = Math.ceil(due.at / DAY) * DAY;
    expect(beginsNow(due, some, due.at - 1, options)).toBe(false);
    expect(beginsNow(due, some, due.at, options)).toBe(true);
    expect(beginsNow(due, some, midnight, options)).toBe(false);
    expect(beginsNow(due, some, due.latest, options)).toBe(true);
  });

  test('any facts: not before the reason, not after the latest time, the same each time it is asked', () => {
    const instant = fc.integer({ min: START, max: START + 400 * DAY });
    const maybe = fc.option(instant);
    fc.assert(
      fc.property(
        fc.record({ a: maybe, b: maybe, c: maybe, d: maybe, life: fc.integer({ min: 1, max: 400 }), now: instant }),
        ({ a, b, c, d, life, now }) => {
          const some = facts({
            compromisedAt: a,
            seenByPersonAt: b,
            againstPolicySince: c,
            issuerEndsAt: d,
            notAfter: START + life * DAY,
          });
          const due = nextDue(some, now, options);
          expect(due.at).toBeGreaterThanOrEqual(due.since);
          expect(due.at).toBeLessThanOrEqual(due.latest);
          expect(nextDue(some, now, options)).toEqual(due);
        },
      ),
    );
  });
});

test('a thousand certificates of one day are spread evenly, each always to the same instant', () => {
  const all = Array.from({ length: 1_000 }, (_, at) => facts({ credential: `partner-${at}/production` }));
  const dues = forecast(all, START, START + 365 * DAY, options);
  expect(dues).toHaveLength(1_000);
  const spans = dues.map(({ at, since }) => at - since);
  expect(Math.max(...spans)).toBeLessThanOrEqual(3 * DAY);
  const buckets = Array.from({ length: 10 }, () => 0);
  for (const span of spans) buckets[Math.min(9, Math.floor(span / (0.3 * DAY)))]! += 1;
  // Chi-squared with nine degrees of freedom: 27.9 is passed by chance once in a thousand; names are fixed here.
  const chi = buckets.reduce((sum, count) => sum + (count - 100) ** 2 / 100, 0);
  expect(chi).toBeLessThan(27.9);
});

test('a forecast has what begins until then, in order', () => {
  const all = [
    facts({ credential: 'late/x' }),
    facts({ credential: 'b/x', notAfter: START + 90 * DAY }),
    facts({ credential: 'a/x', compromisedAt: START }),
  ];
  const due = forecast(all, START, START + 90 * DAY, options);
  expect(due.map(({ credential, reason }) => [credential, reason])).toEqual([
    ['a/x', 'compromised'],
    ['b/x', 'lifetime-share'],
  ]);
});

describe('expiry warnings', () => {
  test.each([
    [365 * DAY, 200 * DAY, 'far'],
    [365 * DAY, 100 * DAY, 'notice'],
    [365 * DAY, 30 * DAY, 'warning'],
    [365 * DAY, 5 * DAY, 'critical'],
    [DAY, DAY / 2, 'far'],
    [DAY, DAY / 50, 'critical'],
    [DAY, -1, 'expired'],
    [DAY, 0, 'critical'],
  ])('of a life of %d ms, %d ms left: %s', (life, left, nearness) => {
    const certificate = { notBefore: START, notAfter: START + life };
    expect(nearnessOf(certificate, START + life - left)).toBe(nearness);
  });

  test('are mute for what another version follows', () => {
    expect(['current', 'staged', 'previous', 'retired', 'compromised', 'destroyed'].filter(isWarnedOf)).toEqual([
      'current',
      'staged',
    ]);
  });
});
