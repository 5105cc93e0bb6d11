import { expect, test } from 'vitest';
import { checkIdentity, type RequestedIdentity, subjectOf } from '../../../src/x509/request/identity.ts';

const CN = { type: 'CN', value: 'payments' } as const;

function identity(more: Partial<RequestedIdentity>): RequestedIdentity {
  return { subject: [CN], dns: [], uris: [], ...more };
}

test.each<Partial<RequestedIdentity>>([
  { subject: [{ type: 'C', value: 'AE' }, CN] },
  { subject: [{ type: 'O', value: 'x'.repeat(64) }] },
  { dns: ['a.example', 'xn--bcher-kva.example'], uris: ['spiffe://a.example/b', 'urn:acme:1'] },
])('an identity that a certificate may have is taken: %o', (more) => {
  expect(() => checkIdentity(identity(more))).not.toThrow();
});

test.each<Partial<RequestedIdentity>>([
  { subject: [] },
  { subject: [CN, CN] },
  { subject: [{ type: 'CN', value: '' }] },
  { subject: [{ type: 'CN', value: 'x'.repeat(65) }] },
  { subject: [{ type: 'CN', value: 'two\nlines' }] },
  { subject: [{ type: 'CN', value: ' spaced' }] },
  { subject: [{ type: 'C', value: 'ae' }] },
  { dns: ['*.a.example'] },
  { dns: ['localhost'] },
  { dns: ['A.example'] },
  { dns: ['a..example'] },
  { dns: ['10.0.0.1'] },
  { uris: ['/relative'] },
  { uris: ['https://a.example/\u00e9'] },
  { uris: ['https://a example'] },
  { dns: Array.from({ length: 33 }, (_, n) => `a${n}.example`) },
])('one that none may have is refused: %o', (more) => {
  expect(() => checkIdentity(identity(more))).toThrow(expect.objectContaining({ code: 'invalid_input' }));
});

test('the subject is written as certificates are read, most specific part first', () => {
  const subject = [{ type: 'O', value: 'Acme, Inc.' }, CN] as const;
  expect(subjectOf({ subject })).toBe('CN=payments,O=Acme\\, Inc.');
});
