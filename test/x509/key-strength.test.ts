import { checkPrimeSync, generateKeyPairSync, generatePrimeSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { hasClosePrimes, keyAlgorithm, refuseWeakKey } from '../../src/x509/key-strength.ts';
import { refusal } from './expect-refusal.ts';
import { shortestMs } from './shortest.ts';

function nextPrime(after: bigint): bigint {
  let candidate = after + 2n;
  while (!checkPrimeSync(candidate)) candidate += 2n;
  return candidate;
}

describe('an RSA modulus of close primes is found by Fermat’s method (C9)', () => {
  test('two neighbouring primes', () => {
    const p = generatePrimeSync(512, { bigint: true });
    expect(hasClosePrimes(p * nextPrime(p))).toBe(true);
  });

  test('the square of a prime', () => {
    const p = generatePrimeSync(512, { bigint: true });
    expect(hasClosePrimes(p * p)).toBe(true);
  });

  test('small numbers: found when it takes few rounds, not found when it takes many', () => {
    expect(hasClosePrimes(101n * 103n)).toBe(true);
    expect(hasClosePrimes(10_007n * 1_000_003n)).toBe(false);
  });

  test('primes that were drawn apart are left alone, in a few milliseconds', () => {
    const n = generatePrimeSync(1024, { bigint: true }) * generatePrimeSync(1024, { bigint: true });
    expect(hasClosePrimes(n)).toBe(false);
    expect(shortestMs(() => hasClosePrimes(n))).toBeLessThan(50);
  });
});

test('public keys are judged like private ones', () => {
  const strong = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey;
  expect(() => refuseWeakKey(strong)).not.toThrow();
  expect(keyAlgorithm(strong)).toBe('EC P-384');
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey;
  expect(keyAlgorithm(weak)).toBe('RSA-1024');
  expect(refusal('key_too_weak', () => refuseWeakKey(weak)).message).toContain('1024');
});

test('an EC key that spells its curve out is refused: no TLS server takes its certificate', () => {
  const pair = (paramEncoding: 'explicit' | 'named') =>
    generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding });
  for (const key of Object.values(pair('explicit'))) {
    expect(refusal('key_too_weak', () => refuseWeakKey(key)).message).toContain('explicit parameters');
  }
  for (const key of Object.values(pair('named'))) expect(() => refuseWeakKey(key)).not.toThrow();
});
