import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isKeyturnError } from '../../src/core/errors.ts';
import { SecretBytes } from '../../src/core/secret-bytes.ts';

const CANARY = 'canary-7f3a91d2e84c';

/** Every form in which the octets could show in a text. */
function traces(octets: Buffer): string[] {
  const numbers = [...octets.subarray(0, 4)];
  return [
    octets.toString('latin1'),
    octets.toString('hex'),
    octets.toString('base64'),
    numbers.join(','),
    numbers.join(', '),
  ];
}

describe('no way to a text shows the octets', () => {
  const ways: [string, (secret: SecretBytes) => string][] = [
    ['String()', (secret) => String(secret)],
    // oxlint-disable-next-line typescript/restrict-template-expressions -- the mistake itself is under test
    ['a template literal', (secret) => `${secret}`],
    ['joining', (secret) => [secret].join()],
    ['JSON.stringify', (secret) => JSON.stringify({ secret })],
    ['util.inspect', (secret) => inspect(secret)],
    [
      'util.inspect of hidden fields',
      (secret) => inspect({ secret }, { showHidden: true, depth: null, getters: true }),
    ],
    [
      'util.inspect without custom functions',
      (secret) => inspect(secret, { customInspect: false, showHidden: true, depth: null }),
    ],
    ['its own entries', (secret) => JSON.stringify(Object.entries(secret))],
    ['an error and its cause', (secret) => inspect(new Error(String(secret), { cause: secret }))],
    ['a copy of its fields', (secret) => inspect(Object.assign({}, secret))],
  ];
  test.each(ways)('%s', (_, show) => {
    const secret = SecretBytes.own(Buffer.from(CANARY));
    const text = show(secret);
    for (const trace of traces(Buffer.from(CANARY))) expect(text).not.toContain(trace);
  });
});

test('structuredClone carries nothing of it over', () => {
  const clone = structuredClone(SecretBytes.own(Buffer.from(CANARY)));
  for (const trace of traces(Buffer.from(CANARY))) expect(inspect(clone, { showHidden: true })).not.toContain(trace);
});

test('dispose zero-fills the very octets, once and for all', () => {
  const octets = Buffer.from(CANARY);
  const secret = SecretBytes.own(octets);
  expect(secret.bytes).toBe(octets);
  secret.dispose();
  secret.dispose();
  expect(octets.equals(Buffer.alloc(octets.length))).toBe(true);
  expect(secret.disposed).toBe(true);
  expect(secret.length).toBe(CANARY.length);
});

test('a block that ends wipes what it used, by an error too', () => {
  const octets = Buffer.from(CANARY);
  expect(() => {
    using secret = SecretBytes.own(octets);
    throw new Error(`with ${secret.length}`);
  }).toThrow('with 19');
  expect(octets.every((octet) => octet === 0)).toBe(true);
});

test('a wiped secret cannot be used', () => {
  const secret = SecretBytes.own(Buffer.from(CANARY));
  const other = SecretBytes.own(Buffer.from(CANARY));
  secret.dispose();
  for (const use of [() => secret.bytes, () => secret.equals(other), () => other.equals(secret)]) {
    try {
      use();
      expect.unreachable();
    } catch (error) {
      expect(isKeyturnError(error, 'internal')).toBe(true);
    }
  }
});

test('a copy is its own: neither shares the other’s fate, nor a pool with anyone', () => {
  const octets = Buffer.from(CANARY);
  const copy = SecretBytes.copyOf(octets);
  octets.fill(0);
  expect(copy.bytes.toString()).toBe(CANARY);
  expect(copy.bytes.buffer.byteLength).toBe(CANARY.length);
  const second = SecretBytes.copyOf(copy.bytes);
  copy.dispose();
  expect(second.bytes.toString()).toBe(CANARY);
});

test('equality is that of the octets', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
      const [left, right] = [SecretBytes.copyOf(a), SecretBytes.copyOf(b)];
      expect(left.equals(right)).toBe(Buffer.compare(a, b) === 0);
      expect(left.equals(SecretBytes.copyOf(a))).toBe(true);
    }),
  );
});
