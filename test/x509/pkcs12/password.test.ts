import { expect, test } from 'vitest';
import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import { passwordsToTry } from '../../../src/x509/pkcs12/password.ts';

const secret = (octets: Buffer | string) => SecretBytes.own(Buffer.from(octets as string));
const shown = (given: SecretBytes | undefined) =>
  passwordsToTry(given).map(({ typed, wide }) => [typed.toString('hex'), wide.toString('hex')]);
const NONE_GIVEN = [
  ['', '0000'],
  ['', ''],
];

test('without a password the empty one and none at all are tried', () => {
  expect(shown(undefined)).toEqual(NONE_GIVEN);
  expect(shown(secret(''))).toEqual(NONE_GIVEN);
});

test.each([
  ['Beavis', '0042006500610076006900730000'],
  ['é€', '00e920ac0000'],
  ['🔑', 'd83ddd110000'],
])('%s is tried first, as UTF-8 and as UTF-16 with an end mark', (text, wide) => {
  expect(shown(secret(text))).toEqual([[Buffer.from(text).toString('hex'), wide], ...NONE_GIVEN]);
});

test('octets that are no UTF-8 count as Latin-1', () => {
  expect(shown(secret(Buffer.from('e962', 'hex')))[0]).toEqual(['e962', '00e900620000']);
});

test('both forms are wiped, the password of the caller is not', () => {
  const given = secret('Beavis');
  const [first] = passwordsToTry(given);
  first?.[Symbol.dispose]();
  expect([...(first?.typed ?? [1]), ...(first?.wide ?? [1])].every((octet) => octet === 0)).toBe(true);
  expect(given.bytes.toString()).toBe('Beavis');
});
