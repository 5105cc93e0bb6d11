import { expect, test } from 'vitest';
import { configWith, refusalOf } from '../settings/document.ts';

function read(rotation?: object) {
  return configWith(rotation === undefined ? {} : { rotation }).rotation;
}

function refusal(rotation: object): string {
  return refusalOf({ rotation });
}

test('without a word: rotations begin by themselves at two thirds of a lifetime', () => {
  expect(read()).toEqual({
    due: {
      automatic: true,
      coolDown: 86_400,
      rules: { maxAge: null, lifetimeShare: 2 / 3, margin: 7 * 86_400 },
      freezes: [],
    },
    longestRequestMs: 30_000,
  });
});

test('every member counts', () => {
  const freezes = [{ from: '2026-12-20T00:00:00+04:00', to: '2027-01-03T00:00:00+04:00', why: 'year end' }];
  const all = {
    automatic: false,
    'max-age': '90d',
    'lifetime-share': 0.5,
    margin: '14d',
    'cool-down': '2h',
    freezes,
    'longest-request': '2m',
  };
  expect(read(all)).toEqual({
    due: {
      automatic: false,
      coolDown: 7_200,
      rules: { maxAge: 90 * 86_400, lifetimeShare: 0.5, margin: 14 * 86_400 },
      freezes: [{ from: Date.parse('2026-12-19T20:00:00Z'), to: Date.parse('2027-01-02T20:00:00Z'), why: 'year end' }],
    },
    longestRequestMs: 120_000,
  });
});

test.each([
  ['rotation.lifetime-share', { 'lifetime-share': 1 }],
  ['rotation.max-age', { 'max-age': '90' }],
  ['rotation.freezes.0.from', { freezes: [{ from: '2026-12-20', to: '2027-01-03T00:00:00Z', why: 'x' }] }],
  ['rotation.freezes.0.to', { freezes: [{ from: '2026-12-20T00:00:00Z', to: '2026-12-19T00:00:00Z', why: 'x' }] }],
  ['rotation:', { interval: '90d' }],
])('%s is refused by name', (member, rotation) => {
  expect(refusal(rotation)).toContain(member);
});
