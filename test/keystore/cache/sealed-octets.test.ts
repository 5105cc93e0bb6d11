import { expect, test } from 'vitest';
import { SecretBytes } from '../../../src/core/secret-bytes.ts';
import { ProcessSeal } from '../../../src/keystore/cache/sealed-octets.ts';

test('no nonce comes twice under the key of a process, whatever is sealed', () => {
  const seal = new ProcessSeal();
  using octets = SecretBytes.copyOf(Buffer.from('the same octets'));
  const sealed = Array.from({ length: 1_000 }, () => seal.seal(octets, 'vault a'));
  expect(new Set(sealed.map(({ nonce }) => nonce.toString('hex'))).size).toBe(1_000);
  expect(new Set(sealed.map(({ ciphertext }) => ciphertext.toString('hex'))).size).toBe(1_000);
});

test('what was sealed under one name does not open under another, nor in another process', () => {
  const seal = new ProcessSeal();
  using octets = SecretBytes.copyOf(Buffer.from('octets'));
  const sealed = seal.seal(octets, 'vault a');
  using opened = seal.open(sealed, 'vault a');
  expect(opened.bytes.toString()).toBe('octets');
  expect(() => seal.open(sealed, 'vault b')).toThrow(expect.objectContaining({ code: 'internal' }));
  expect(() => new ProcessSeal().open(sealed, 'vault a')).toThrow(expect.objectContaining({ code: 'internal' }));
});
