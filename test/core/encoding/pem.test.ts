import fc from 'fast-check';
import { expect, test } from 'vitest';
import { pemOctets } from '../../../src/core/encoding/pem.ts';
import { wrapPem } from '../../fakes/ca.ts';

test('any octets come out as the PEM that a string encoder writes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 400 }), (der) => {
      expect(pemOctets('PRIVATE KEY', der).toString('ascii')).toBe(wrapPem('PRIVATE KEY', Buffer.from(der)));
    }),
  );
});

test('the PEM has memory of its own, so that wiping it wipes all there is', () => {
  const pem = pemOctets('PRIVATE KEY', Buffer.alloc(32, 7));
  expect(pem.buffer.byteLength).toBe(pem.length);
});
