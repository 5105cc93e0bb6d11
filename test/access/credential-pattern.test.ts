import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CredentialPattern } from '../../src/access/credential-pattern.ts';
import { credential, pattern } from './samples.ts';

describe('a pattern of credential names', () => {
  it.each([
    ['lean/sandbox', 'lean/sandbox', true],
    ['lean/sandbox', 'lean/sandbox/eu', false],
    ['lean/sandbox', 'lean/sandboxes', false],
    ['lean/*', 'lean/sandbox', true],
    ['lean/*', 'lean/sandbox/eu', false],
    ['lean/*', 'leaner/sandbox', false],
    ['*/sandbox', 'lean/sandbox', true],
    ['*/sandbox', 'lean/acme/sandbox', false],
    ['lean/*/eu', 'lean/sandbox/eu', true],
    ['lean/**', 'lean/sandbox', true],
    ['lean/**', 'lean/sandbox/eu', true],
    ['lean/sandbox/**', 'lean/sandbox', false],
    ['lean/sandbox/**', 'lean/sandbox/eu', true],
    ['**', 'lean/sandbox', true],
    ['**', 'lean/sandbox/eu', true],
    ['a.c/b', 'abc/b', false],
  ])('%s on %s: %s', (text, name, matches) => {
    expect(CredentialPattern.parse(text).matches(name)).toBe(matches);
  });

  it.each([
    '',
    '*',
    'lean',
    '***',
    'le*/sandbox',
    'lean/sand*',
    '**/sandbox',
    'lean/**/eu',
    '**/**',
    'a/b/c/d',
    'a/b/c/**',
    'Lean/*',
    ' lean/*',
    'lean/* ',
    'lean/',
    '/lean',
    'lean//a',
    'lean/..',
    'lean/?',
    'lean/[ab]',
    'lean/{a,b}',
    '!a/b',
    'ｌean/*',
    'lean/＊',
  ])('is refused as %j', (text) => {
    expect(() => CredentialPattern.parse(text)).toThrow(expect.objectContaining({ code: 'invalid_input' }));
  });

  it.each([
    'Lean/sandbox',
    'lean/sandbox/',
    'lean//sandbox',
    'lean/../x',
    'lean/sandbox ',
    'lean%2Fsandbox',
    'lean',
    '',
  ])('never matches the name %j, which is not canonical', (name) => {
    for (const text of ['**', '*/*', 'lean/*', 'lean/**', '*/*/*']) {
      expect(CredentialPattern.parse(text).matches(name)).toBe(false);
    }
  });

  it('takes each * for one part and never crosses a /', () => {
    fc.assert(
      fc.property(pattern, credential, ({ text }, name) => {
        const expression = text
          .split('/')
          .map((part) => (part === '**' ? '[^/]+(?:/[^/]+)*' : part === '*' ? '[^/]+' : part))
          .join('/');
        expect(CredentialPattern.parse(text).matches(name)).toBe(new RegExp(`^${expression}$`).test(name));
      }),
      { numRuns: 2_000 },
    );
  });
});
