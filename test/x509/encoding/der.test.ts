import { describe, expect, test } from 'vitest';
import { checkDer, derElements } from '../../../src/x509/encoding/der.ts';
import { refusal } from '../expect-refusal.ts';

/** `30 02 30 00`, … : short lengths reach 63 levels. */
function nested(depth: number): Buffer {
  return Buffer.from(Array.from({ length: depth }, (_, level) => [0x30, 2 * (depth - level - 1)]).flat());
}

describe('the shape of DER', () => {
  test('33 levels that hold something are one too many', () => {
    expect(() => checkDer(nested(33))).not.toThrow();
    expect(refusal('certificate_unreadable', () => checkDer(nested(34))).message).toContain('deeper than 32');
  });

  test('elements beside one another add no depth', () => {
    const flat = Buffer.concat(Array.from({ length: 20 }, () => nested(3)));
    expect(() => checkDer(Buffer.concat([Buffer.from([0x30, flat.length]), flat]))).not.toThrow();
  });

  test('an element may not reach beyond the one that holds it', () => {
    refusal('certificate_unreadable', () => checkDer(Buffer.from('3003040204', 'hex')));
    refusal('certificate_unreadable', () => checkDer(Buffer.from('300530030402aabb', 'hex')));
  });

  test('data behind the end is refused by the check and given by the list', () => {
    const two = Buffer.from('05000201ff', 'hex');
    expect(refusal('certificate_unreadable', () => checkDer(two)).message).toContain('follows the end');
    expect(derElements(two).map(({ tag }) => tag)).toEqual([0x05, 0x02]);
  });

  test('a tag number above 30 is refused', () => {
    refusal('certificate_unreadable', () => checkDer(Buffer.from('1f8100', 'hex')));
  });
});
