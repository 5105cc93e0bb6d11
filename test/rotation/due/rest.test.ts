import { expect, test } from 'vitest';
import type { DueFacts } from '../../../src/rotation/due/check.ts';
import { type LastRotation, restsUntil } from '../../../src/rotation/due/rest.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.parse('2026-03-02T00:00:00Z');

const facts: DueFacts = {
  credential: 'lean/sandbox',
  version: 2,
  notBefore: START,
  notAfter: START + 300 * DAY,
  currentSince: START,
  compromisedAt: null,
  seenByPersonAt: null,
  againstPolicySince: null,
  issuerEndsAt: null,
  lifecycle: { issuance: {}, hours: null },
};

function last(changes: Partial<LastRotation>): LastRotation {
  return { state: 'completed', reason: 'issuer-ends', version: 2, ended_at: START, ...changes };
}

test('a first rotation waits for nothing', () => {
  expect(restsUntil(facts, 'expiry', null, DAY)).toBe(0);
});

test.each(['aborted', 'rolled-back'] as const)('after one that was %s: the cool-down', (state) => {
  expect(restsUntil(facts, 'expiry', last({ state }), DAY)).toBe(START + DAY);
});

test('but never a good part of the time that the certificate has left, and always a little', () => {
  const aborted = last({ state: 'aborted' });
  expect(restsUntil({ ...facts, notAfter: START + 2 * DAY }, 'expiry', aborted, DAY)).toBe(START + 12 * HOUR);
  expect(restsUntil({ ...facts, notAfter: START - DAY }, 'expiry', aborted, DAY)).toBe(START + 600_000);
});

test('one that was completed does not hold up the next one', () => {
  expect(restsUntil(facts, 'age', last({}), DAY)).toBe(0);
  expect(restsUntil(facts, 'issuer-ends', last({ version: 1 }), DAY)).toBe(0);
});

test('unless the reason is the same of the version that it made: more of it would cure nothing', () => {
  const soon = { ...facts, issuerEndsAt: START + 6 * DAY };
  expect(restsUntil(soon, 'issuer-ends', last({}), DAY)).toBe(START + 3 * DAY);
});
