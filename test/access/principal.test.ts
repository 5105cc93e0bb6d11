import { describe, expect, it } from 'vitest';
import { isSoundPrincipal, principalOf } from '../../src/access/principal.ts';

describe('the id of a principal', () => {
  it('tells a service from a person', () => {
    expect(principalOf('service:payments')).toEqual({ id: 'service:payments', kind: 'service' });
    expect(principalOf('person:alice.b-c_d')).toEqual({ id: 'person:alice.b-c_d', kind: 'person' });
  });

  it.each([
    '',
    'payments',
    'service:',
    'service: payments',
    ' service:payments',
    'service:payments ',
    'service:payments\n',
    'Service:payments',
    'service:Payments',
    'SERVICE:PAYMENTS',
    'ｓervice:payments',
    'service:pаyments',
    'service:pay​ments',
    'service:*',
    'service:a*',
    'service:a/b',
    'service:a,b',
    'service:a,service:b',
    'service:{{name}}',
    'person:..',
    'group:ops',
    'service:a:b',
    `service:${'a'.repeat(65)}`,
  ])('is refused, not mended, as %j', (text) => {
    expect(() => principalOf(text)).toThrow(expect.objectContaining({ code: 'invalid_input' }));
  });

  it('must agree with the kind that is claimed', () => {
    expect(isSoundPrincipal({ id: 'service:payments', kind: 'service' })).toBe(true);
    expect(isSoundPrincipal({ id: 'service:payments', kind: 'person' })).toBe(false);
    expect(isSoundPrincipal({ id: 'person:Alice', kind: 'person' })).toBe(false);
  });
});
