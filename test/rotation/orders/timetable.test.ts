import { expect, test } from 'vitest';
import type { Lifecycle } from '../../../src/partner/profile.ts';
import { outageSeconds, type Timing, timetable } from '../../../src/rotation/orders/timetable.ts';
import { pathOf, type Way } from '../../../src/rotation/workflow/path.ts';

const DAY = 86_400;
/** Monday to Friday, nine to five. */
const HOURS: Lifecycle['hours'] = {
  zone: 'UTC',
  days: new Set([1, 2, 3, 4, 5]),
  from: 9 * 60,
  to: 17 * 60,
  closed: [{ from: '2026-12-21', to: '2027-12-31', why: 'gone' }],
};
const TEST: Lifecycle['test'] = {
  host: 'localhost:1',
  method: 'GET',
  path: '/',
  headers: {},
  companions: {},
  body: null,
  expect: [200],
  unregistered: [],
  timeoutSeconds: 10,
};

function lifecycle(given: {
  readonly leadTime?: number;
  readonly by?: 'issuer' | 'asking';
  readonly hours?: Lifecycle['hours'];
  readonly test?: Lifecycle['test'];
  readonly swap?: Lifecycle['swap'];
}): Lifecycle {
  const request = { algorithm: 'EC P-256' as const, subject: [], dns: [], uris: [] };
  const { leadTime, by = 'asking', hours = null, test: tried = TEST, swap = null } = given;
  return {
    issuance: {
      issuer: 'manual',
      key: 'partner',
      live: 2,
      portal: [],
      request,
      ...(leadTime === undefined ? {} : { leadTime }),
    },
    revocation: { by, reasons: false, propagation: 300, deadline: DAY },
    hours,
    test: tried,
    swap,
  };
}

/** Each step with how long it takes, and when all of it has ended. */
function dates(way: Way, timing: Omit<Timing, 'way'>, now: string) {
  const spans = [...timetable(pathOf(way), { ...timing, way }, Date.parse(now))];
  const seconds = Object.fromEntries(spans.map(([step, { from, until }]) => [step, (until - from) / 1000]));
  const of = (step: string) => {
    const span = spans.find(([one]) => one === step)?.[1];
    return [span?.from, span?.until].map((at) => new Date(at ?? Number.NaN).toISOString().slice(0, 16));
  };
  return { seconds, of };
}

const BY_PARTNER: Way = { keyBy: 'partner', live: 2, replaces: true, share: false };
const CLIENTS = { leaseSeconds: 900, longestRequestSeconds: 30 };

test('a partner that is asked begins within its hours, and takes its lead time', () => {
  const timing = { ...CLIENTS, lifecycle: lifecycle({ leadTime: 2 * DAY, hours: HOURS }), awaitsPerson: true };
  // A Saturday.
  const { seconds, of } = dates(BY_PARTNER, timing, '2026-11-28T12:00:00Z');
  expect(of('await')).toEqual(['2026-11-30T09:00', '2026-12-02T09:00']);
  expect(seconds).toEqual({
    await: 2 * DAY,
    canary: 10,
    promote: 0,
    drain: 930,
    revoke: DAY,
    prove: 600,
    destroy: 0,
  });
  expect(of('revoke')).toEqual(['2026-12-02T09:15', '2026-12-03T09:15']);
  expect(of('destroy')[1]).toBe('2026-12-03T09:25');
});

test('what an issuer with an interface does takes no time, whatever the hours of people', () => {
  const timing = { ...CLIENTS, lifecycle: lifecycle({ by: 'issuer', hours: HOURS }), awaitsPerson: false };
  const { seconds, of } = dates({ ...BY_PARTNER, keyBy: 'keyturn' }, timing, '2026-11-28T12:00:00Z');
  expect(of('request')).toEqual(['2026-11-28T12:00', '2026-11-28T12:00']);
  expect(seconds).toMatchObject({ 'make-key': 0, request: 0, await: 0, revoke: 0, prove: 600 });
});

test('without a lead time a day is reckoned with, without a test neither canary nor proof takes any time', () => {
  const timing = { ...CLIENTS, lifecycle: lifecycle({ test: null }), awaitsPerson: true };
  expect(dates(BY_PARTNER, timing, '2026-11-28T12:00:00Z').seconds).toMatchObject({ await: DAY, canary: 0, prove: 0 });
});

test('where one certificate may live nobody is asked to revoke the old one, and the outage ends with the last renewal', () => {
  const timing = { ...CLIENTS, lifecycle: lifecycle({ leadTime: DAY }), awaitsPerson: true };
  const { seconds } = dates({ ...BY_PARTNER, live: 1 }, timing, '2026-11-28T12:00:00Z');
  expect(Object.keys(seconds).slice(0, 3)).toEqual(['await', 'promote', 'canary']);
  expect(seconds).toMatchObject({ revoke: 0 });
  expect(outageSeconds(timing)).toBe(660);
});

test('a partner that is closed for longer than is looked ahead still has a date', () => {
  const timing = { ...CLIENTS, lifecycle: lifecycle({ leadTime: DAY, hours: HOURS }), awaitsPerson: true };
  const [from] = dates(BY_PARTNER, timing, '2026-12-28T12:00:00Z').of('await');
  expect(from).toBe('2027-04-27T12:00');
});

test('a share of the clients is watched before all get the new version', () => {
  const swap = { share: 0.1, for: 1_200, failures: 3, beyond: 0.01 };
  const timing = { ...CLIENTS, lifecycle: lifecycle({ swap }), awaitsPerson: true };
  const { seconds } = dates({ ...BY_PARTNER, share: true }, timing, '2026-11-28T12:00:00Z');
  expect(Object.keys(seconds).slice(1, 4)).toEqual(['canary', 'share', 'promote']);
  expect(seconds['share']).toBe(2_400);
});
