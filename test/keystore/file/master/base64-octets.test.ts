import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeBase64, encodeBase64 } from '../../../../src/keystore/file/master/base64-octets.ts';

it('octets become the base64 that Node writes, and come back', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 100 }), (raw) => {
      const octets = Buffer.from(raw);
      const text = encodeBase64(octets);
      expect(text.toString('latin1')).toBe(octets.toString('base64'));
      expect(decodeBase64(text)).toEqual(octets);
    }),
    { numRuns: 2_000 },
  );
});

it('text is read when it is what encoding gives, and refused otherwise', () => {
  const octet = fc.constantFrom(...Buffer.from('AQgw/+9z=-_ \n\0é', 'latin1'));
  fc.assert(
    fc.property(fc.array(octet, { maxLength: 12 }), (list) => {
      const text = Buffer.from(list);
      const octets = decodeBase64(text);
      if (octets !== null) expect(encodeBase64(octets)).toEqual(text);
      else
        expect(
          Buffer.from(text.toString('latin1'), 'base64').toString('base64') === text.toString('latin1') &&
            text.length > 0,
        ).toBe(false);
    }),
    { numRuns: 20_000 },
  );
});
