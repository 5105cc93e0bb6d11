import { expect, it, test } from 'vitest';
import { recordOf, secretName, secretPrefix, versionId } from '../../../src/keystore/aws/secret-name.ts';

test.each(['keyturn', 'team/keyturn', 'A_b+c=d.e@f-g', 'a'.repeat(200)])('%s is a prefix', (prefix) => {
  expect(secretPrefix(prefix)).toBe(prefix);
});

test.each(['', '/', 'a/', '/a', 'a//b', 'a b', 'a*', 'ä', 'a'.repeat(201), 'a\n'])('%j is no prefix', (prefix) => {
  expect(() => secretPrefix(prefix)).toThrow(expect.objectContaining({ code: 'config_invalid' }));
});

it('a record is found again under its prefix, and nothing else is one', () => {
  const record = 'versions/lean/sandbox/3';
  expect(secretName('team/keyturn', record)).toBe(`team/keyturn/${record}`);
  expect(recordOf('team/keyturn', `team/keyturn/${record}`)).toBe(record);
  for (const name of [
    record,
    `team/keyturnx/${record}`,
    `team/keyturn-${record}`,
    `x/team/keyturn/${record}`,
    'team/keyturn/single',
    'team/keyturn/a/../b',
  ]) {
    expect(recordOf('team/keyturn', name)).toBeNull();
  }
  expect(() => secretName('keyturn', '../x')).toThrow(expect.objectContaining({ code: 'invalid_input' }));
});

it('the version id is one that AWS takes, the same for a name at any time, another for each name', () => {
  const id = versionId('keyturn/versions/lean/sandbox/3');
  // SHA-256 of `keyturn secret version`, a zero octet and the name; stores that exist depend on it.
  expect(id).toBe('c5fae72823486593a48861d09cbe05150fbdb0511ee138ee8cdc58e5b12be265');
  expect(versionId('keyturn/versions/lean/sandbox/4')).not.toBe(id);
});
