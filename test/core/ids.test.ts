import fc from 'fast-check';
import { expect, test } from 'vitest';
import { newId } from '../../src/core/ids.ts';

const NOW = Date.parse('2026-11-23T10:00:00.000Z');

test('an id is its prefix and a UUID of version 7 and the RFC 9562 variant', () => {
  for (let count = 0; count < 500; count += 1) {
    expect(newId('lease', NOW)).toMatch(/^lease_[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$/);
  }
});

test('its first 48 bits are the milliseconds since the epoch', () => {
  expect(newId('hold', NOW).slice(5, 17)).toBe(NOW.toString(16).padStart(12, '0'));
});

test('ids sort by the time they were made', () => {
  const time = fc.nat(2 ** 48 - 1);
  fc.assert(
    fc.property(time, time, (a, b) => {
      fc.pre(a !== b);
      expect(newId('token', a) < newId('token', b)).toBe(a < b);
    }),
  );
});

test('no two are the same, even within one millisecond', () => {
  const ids = new Set(Array.from({ length: 10_000 }, () => newId('request', NOW)));
  expect(ids.size).toBe(10_000);
});

test('every random bit varies: 74 of them', () => {
  const [ones, zeros] = [Buffer.alloc(16), Buffer.alloc(16)];
  for (let count = 0; count < 200; count += 1) {
    const octets = Buffer.from(newId('entry', 0).slice('entry_'.length), 'hex');
    for (const [at, octet] of octets.entries()) {
      ones[at]! |= octet;
      zeros[at]! |= ~octet;
    }
  }
  const varying = [...ones].map((one, at) => (one & zeros[at]!).toString(2).replaceAll('0', '').length);
  expect(varying.reduce((sum, bits) => sum + bits, 0)).toBe(74);
});
