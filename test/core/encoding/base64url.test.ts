import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeBase64url, encodeBase64url } from '../../../src/core/encoding/base64url.ts';

describe('base64url', () => {
  it('gives back the octets it was given', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (octets) => {
        expect(decodeBase64url(encodeBase64url(octets), octets.length)).toEqual(Buffer.from(octets));
      }),
    );
  });

  it('reads only the one text of any octets', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9_=+/ \n-]{0,12}$/), (text) => {
        const octets = decodeBase64url(text);
        if (octets !== null) expect(encodeBase64url(octets)).toBe(text);
      }),
      { numRuns: 2_000 },
    );
  });

  it.each(['AA==', 'AB', 'A', 'AA AA', 'AA\n', '+A', '/w', 'AA=', 'é'])('refuses %j', (text) => {
    expect(decodeBase64url(text)).toBeNull();
  });

  it('refuses another length than the one wanted', () => {
    expect(decodeBase64url('AAAA', 3)).toHaveLength(3);
    expect(decodeBase64url('AAAA', 2)).toBeNull();
    expect(decodeBase64url('', 1)).toBeNull();
  });
});
