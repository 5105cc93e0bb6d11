import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { redirectTarget } from '../../../../src/keystore/vault/client/redirect.ts';

const FROM = new URL('https://standby:8200/v1/secret/data/a?x=1');
const ORIGINS = new Set(['https://standby:8200', 'https://active:8200']);

describe('where a redirect leads', () => {
  it('is the same path on a named origin', () => {
    expect(redirectTarget('https://active:8200/v1/secret/data/a?x=1', FROM, ORIGINS).origin).toBe(
      'https://active:8200',
    );
  });

  it.each([
    ['another host', 'https://evil:8200/v1/secret/data/a?x=1'],
    ['another port', 'https://active:8201/v1/secret/data/a?x=1'],
    ['plain http', 'http://active:8200/v1/secret/data/a?x=1'],
    ['another path', 'https://active:8200/v1/secret/data/b?x=1'],
    ['another query', 'https://active:8200/v1/secret/data/a'],
    ['a user before the host', 'https://active:8200@evil/v1/secret/data/a?x=1'],
    ['a user of a named origin', 'https://me@active:8200/v1/secret/data/a?x=1'],
    ['no address', 'https://'],
    ['nothing', undefined],
  ])('is nowhere for %s', (_, location) => {
    expect(() => redirectTarget(location, FROM, ORIGINS)).toThrow(
      expect.objectContaining({ facts: expect.objectContaining({ reason: 'redirected' }) }),
    );
  });

  it('is a named origin or nowhere, whatever the server says', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.webUrl()), (location) => {
        try {
          expect(ORIGINS.has(redirectTarget(location, FROM, ORIGINS).origin)).toBe(true);
        } catch (error) {
          expect(error).toMatchObject({ code: 'keystore_unavailable' });
        }
      }),
    );
  });
});
