import { expect, test } from 'vitest';
import { isPathPattern, isPlainPath, matchesPattern } from '../../../src/keystore/foreign/reading.ts';

test.each([
  'secret/data/teams/*',
  'secret/data/teams/pay/lean',
  'arn:aws:secretsmanager:eu-central-1:1:secret:teams/*',
])('%s is a pattern', (text) => {
  expect(isPathPattern(text)).toBe(true);
});

test.each([
  '',
  '*',
  '/*',
  'teams',
  'teams*',
  'a/*/b',
  'a/b*',
  'a//b',
  '/a/b',
  'a/b/',
  'a/../b',
  'a/./b',
  'a/b c',
  'a/%2e%2e/b',
  'a/**',
])('%s is none', (text) => {
  expect(isPathPattern(text)).toBe(false);
});

test('a pattern covers what lies below it, and nothing that only begins alike', () => {
  const covers = (path: string) => matchesPattern(path, 'secret/data/teams/*');
  expect(['secret/data/teams/pay', 'secret/data/teams/pay/lean'].map(covers)).toEqual([true, true]);
  expect(['secret/data/teams', 'secret/data/teamsters/x', 'other/secret/data/teams/x'].map(covers)).toEqual([
    false,
    false,
    false,
  ]);
  expect(matchesPattern('a/b', 'a/b')).toBe(true);
  expect(matchesPattern('a/b/c', 'a/b')).toBe(false);
});

test.each(['../x', 'a/../b', 'a/%2e%2e', 'a//b', 'a/b*', 'a b', 'a\nb', '', 'x'.repeat(600)])(
  '%j is no plain path',
  (path) => {
    expect(isPlainPath(path)).toBe(false);
  },
);
