import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readOrigin } from '../../src/partner/endpoint.ts';

describe('an endpoint is one https origin', () => {
  test.each([
    ['https://api.leantech.me', 'api.leantech.me:443'],
    ['https://api.leantech.me/', 'api.leantech.me:443'],
    ['https://API.Leantech.ME:8443', 'api.leantech.me:8443'],
    ['HTTPS://localhost:9443', 'localhost:9443'],
    ['https://127.0.0.1:9443', '127.0.0.1:9443'],
    ['https://[::1]:9443', '[::1]:9443'],
    ['https://xn--bcher-kva.example', 'xn--bcher-kva.example:443'],
    ['https://api.example:443', 'api.example:443'],
  ])('%s is %s', (text, host) => {
    expect(readOrigin(text)).toEqual({ host });
  });

  test.each([
    ['http://api.example', /https/],
    ['api.example', /not a URL/],
    ['api.example:443', /https/],
    ['', /not a URL/],
    ['https://user@api.example', /user name/],
    ['https://user:pw@api.example', /user name/],
    ['https://api.example/v1', /origin alone/],
    ['https://api.example?', /origin alone/],
    ['https://api.example#', /origin alone/],
    ['https://api.example/..', /ASCII|origin/],
    ['https://*.example', /one host/],
    ['https://10.0.0.0/8', /origin alone/],
    ['https://127.1', /ASCII/],
    ['https://0x7f.0.0.1', /ASCII/],
    ['https://2130706433', /ASCII/],
    ['https://b\u00fccher.example', /ASCII/],
    ['https://\uff41pi.example', /ASCII/],
    ['https://api.example.', /one host/],
    ['https://a_b.example', /one host/],
    ['https://api.example\\@evil.example', /ASCII|origin|user/],
    [' https://api.example', /origin/],
    ['https:/api.example', /origin/],
    ['https://api\t.example', /ASCII/],
  ])('%s is refused', (text, fault) => {
    expect(readOrigin(text)).toEqual({ fault: expect.stringMatching(fault) });
  });

  test('what is read names its host literally', () => {
    const part = fc.constantFrom(
      'https://',
      'a',
      'B',
      '.',
      ':',
      '443',
      '/',
      '@',
      '[',
      ']',
      '\\',
      '#',
      '?',
      '%41',
      '*',
      '0',
      '\uff0e',
      ' ',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
        const text = `https://${parts.join('')}`;
        const origin = readOrigin(text);
        if ('fault' in origin) return;
        expect(origin.host).toMatch(/^(?:[a-z0-9.-]+|\[[0-9a-f:]+\]):[0-9]{1,5}$/);
        expect(text.toLowerCase()).toContain(`https://${origin.host.replace(/:[0-9]+$/, '')}`);
      }),
      { numRuns: 20_000 },
    );
  });
});
