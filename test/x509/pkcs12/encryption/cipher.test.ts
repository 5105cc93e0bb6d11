import { createCipheriv } from 'node:crypto';
import { expect, test } from 'vitest';
import { type CipherName, decipher, type Keyed, SIZES } from '../../../../src/x509/pkcs12/encryption/cipher.ts';
import { decryptRc2 } from '../../../../src/x509/pkcs12/encryption/rc2.ts';

const native = (Object.keys(SIZES) as CipherName[]).filter((name) => !name.startsWith('rc2'));
const keyed = (name: CipherName): Keyed => {
  const { key, block } = SIZES[name];
  return { name, key: Buffer.alloc(key, 0x5a), vector: Buffer.alloc(block, 0xa5) };
};

function sealed(name: CipherName, padded: Buffer): Buffer {
  const { key, vector } = keyed(name);
  return createCipheriv(name, key, vector).setAutoPadding(false).update(padded);
}

test.each(native)('%s gives what was put in, without its padding', async (name) => {
  const { block } = SIZES[name];
  for (const length of [0, 1, block - 1, block, 3 * block + 1]) {
    const plain = Buffer.alloc(length, 7);
    const padding = block - (length % block);
    const data = sealed(name, Buffer.concat([plain, Buffer.alloc(padding, padding)]));
    expect(await decipher(keyed(name), data)).toEqual(plain);
  }
});

test.each(native)('%s: padding of which one octet is wrong is no padding', async (name) => {
  const { block } = SIZES[name];
  const wrong = [0, block + 1, 0xff].map((octet) => Buffer.alloc(block, octet));
  const torn = Buffer.alloc(block, block);
  torn.writeUInt8(1, 0);
  for (const padded of [...wrong, torn]) expect(await decipher(keyed(name), sealed(name, padded))).toBeNull();
});

test('data that is no whole number of blocks is null, no data as well', async () => {
  for (const name of Object.keys(SIZES) as CipherName[]) {
    for (const length of [0, 1, SIZES[name].block + 1]) {
      expect(await decipher(keyed(name), Buffer.alloc(length))).toBeNull();
    }
  }
});

test('RC2 with 128 bits, as in RFC 2268 section 5', async () => {
  const key = Buffer.from('88bca90e90875a7f0f79c384627bafb2', 'hex');
  const plain = await decryptRc2({ bits: 128, key, vector: Buffer.alloc(8) }, Buffer.from('2269552ab0f85ca6', 'hex'));
  expect(plain.toString('hex')).toBe('0000000000000000');
});

test('RC2 chains its blocks', async () => {
  const key = Buffer.from('88bca90e90875a7f0f79c384627bafb2', 'hex');
  const block = Buffer.from('2269552ab0f85ca6', 'hex');
  const plain = await decryptRc2({ bits: 128, key, vector: Buffer.alloc(8, 1) }, Buffer.concat([block, block]));
  expect(plain.toString('hex')).toBe(`${'01'.repeat(8)}${block.toString('hex')}`);
});
