import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeBase64 } from '../../../src/core/encoding/base64.ts';

test('octets come back from the one text they have', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (octets) => {
      const text = Buffer.from(octets).toString('base64');
      expect(decodeBase64(text)).toEqual(Buffer.from(octets));
      expect(decodeBase64(text, octets.length)).toEqual(Buffer.from(octets));
      expect(decodeBase64(text, octets.length + 1)).toBeNull();
    }),
  );
});

test('no other text decodes: whatever decodes is what its octets are written as', () => {
  const near = fc.string({ unit: fc.constantFrom('A', 'Q', 'R', '+', '/', '-', '_', '=', ' ', '\n') });
  fc.assert(
    fc.property(near, (text) => {
      const octets = decodeBase64(text);
      return octets === null || octets.toString('base64') === text;
    }),
    { numRuns: 2_000 },
  );
});

test.each(['YQ', 'YQ=', 'YQ===', 'YR==', 'Y Q==', 'YQ==\n', ' YQ==', 'YQ==YQ==', '_-8=', 'YQ\u0000=='])(
  '%j is refused, though a lenient decoder takes it',
  (text) => expect(decodeBase64(text)).toBeNull(),
);
