import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { credentialName, isCredentialName, MAX_CREDENTIAL_NAME } from '../../src/access/credential-name.ts';
import { credential } from './samples.ts';

describe('the name of a credential', () => {
  it.each(['lean/sandbox', 'lean/production', 'a/b/c', '0.x-y_z/1', `${'a'.repeat(64)}/${'b'.repeat(35)}`])(
    'may be %s',
    (name) => {
      expect(credentialName(name)).toBe(name);
    },
  );

  it.each([
    '',
    'lean',
    'a/b/c/d',
    'lean/',
    '/sandbox',
    'lean//sandbox',
    'lean/./sandbox',
    'lean/../sandbox',
    'a/b..c',
    'Lean/sandbox',
    ' lean/sandbox',
    'lean/sandbox ',
    'lean/sandbox\n',
    'lean/sand box',
    'lean\\sandbox',
    'lean%2Fsandbox',
    'lean/*',
    'lean/**',
    '*/*',
    'lean/sandbox@2',
    'lean/sandbox,a',
    'lean/{{x}}',
    '-a/b',
    '.a/b',
    'leán/sandbox',
    'ｌean/sandbox',
    'lean／sandbox',
    'lean/sand\u00adbox',
    'lean/sandbox\u0000',
    'ﬁn/a',
    `${'a'.repeat(65)}/b`,
    `${'a'.repeat(50)}/${'b'.repeat(MAX_CREDENTIAL_NAME - 50)}`,
  ])('is not %j', (name) => {
    expect(() => credentialName(name)).toThrow(expect.objectContaining({ code: 'invalid_input' }));
  });

  it('is refused, never mended: each mutation of a good name is another good name or none', () => {
    const mutation = fc.constantFrom<(name: string) => string>(
      (name) => name.toUpperCase(),
      (name) => ` ${name}`,
      (name) => `${name} `,
      (name) => `${name}/`,
      (name) => `/${name}`,
      (name) => name.replace('/', '//'),
      (name) => name.replace('/', '/./'),
      (name) => name.replace('/', '%2f'),
      (name) => name.replace('/', '\\'),
      (name) => encodeURIComponent(name),
      (name) => name.replace(/[a-z]/, (letter) => String.fromCodePoint(letter.charCodeAt(0) + 0xfee0)),
      (name) => `${name}\u0301`.normalize('NFC'),
      (name) => `${name}\t`,
    );
    fc.assert(
      fc.property(credential, mutation, (name, mutate) => {
        const mutated = mutate(name);
        if (mutated !== name) expect(isCredentialName(mutated)).toBe(false);
      }),
    );
  });
});
