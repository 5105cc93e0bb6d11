import { expect, test } from 'vitest';
import { readCertificate } from '../../../src/x509/certificate.ts';
import { type Asked, judgeIssued } from '../../../src/x509/issued/judge-issued.ts';
import { typed } from '../../../src/x509/peculiar.ts';
import { make, NOW, type Recipe } from '../made-certificate.ts';

const DAY = 86_400;
const NAMES = new typed.SubjectAlternativeNameExtension([{ type: 'dns', value: 'a.example' }]);
const ca = await make({ subject: 'CN=Root', ca: true, to: 3650 });

async function judged(recipe: Recipe, asked: Partial<Asked> = {}) {
  const made = await make({ subject: 'O=Acme, CN=payments', issuer: ca, to: 30, extra: [NAMES], ...recipe });
  const identity = {
    subject: [
      { type: 'O', value: 'Acme' },
      { type: 'CN', value: 'payments' },
    ],
    dns: ['a.example'],
    uris: [],
  } as const;
  const { spki } = made.certificate;
  const issuerChain = [ca.certificate];
  return judgeIssued(
    readCertificate(made.der),
    [ca.certificate],
    { spki, identity, lifetimeSeconds: 30 * DAY, issuerChain, ...asked },
    NOW,
  );
}

async function codes(recipe: Recipe, asked: Partial<Asked> = {}): Promise<string[]> {
  return (await judged(recipe, asked)).mismatches.map(({ code }) => code);
}

test('what was asked for is fit for use', async () => {
  const { mismatches, chain } = await judged({});
  expect(mismatches).toEqual([]);
  expect(chain.map(({ subject }) => subject)).toEqual(['CN=Root']);
});

test('a part of the subject may be missing, but not the common name', async () => {
  expect(await codes({ subject: 'CN=payments' })).toEqual([]);
  expect(await codes({ subject: 'O=Acme' })).toEqual(['subject_differs']);
});

test.each(['O=Acme, CN=admin', 'O=Acme, OU=Root, CN=payments', 'O=Other, CN=payments'])(
  'a subject with more or other parts differs: %s',
  async (subject) => {
    expect(await codes({ subject })).toEqual(['subject_differs']);
  },
);

test('a value with an escaped comma is one part', async () => {
  const identity = { subject: [{ type: 'CN', value: 'a, O=Acme' }], dns: ['a.example'], uris: [] } as const;
  const subject = new typed.Name([{ CN: ['a, O=Acme'] }]);
  expect(await codes({ subject }, { identity })).toEqual([]);
  expect(await codes({ subject: 'O=Acme, CN=a' }, { identity })).toEqual(['subject_differs']);
});

test('names that were not asked for, and names that are missing, differ', async () => {
  const more = new typed.SubjectAlternativeNameExtension([
    { type: 'dns', value: 'a.example' },
    { type: 'dns', value: 'b.example' },
  ]);
  expect(await codes({ extra: [more] })).toEqual(['names_differ']);
  expect(await codes({ extra: [] })).toEqual(['names_differ']);
});

test('a hostile name is shown on one line, short', async () => {
  const name = `x\n\u202e${'y'.repeat(5000)}`;
  const extra = [new typed.SubjectAlternativeNameExtension([{ type: 'url', value: name.replace(/[^ -~]/g, '') }])];
  const { mismatches } = await judged({ extra });
  expect(mismatches[0]?.message).toMatch(/^[ -~]{1,400}$/);
});

test('a life longer than asked is too long, to the minute of a clock that is ahead', async () => {
  expect(await codes({ to: 30 })).toEqual([]);
  expect(await codes({ to: 31 })).toEqual(['lifetime_exceeded']);
  expect(await codes({ to: 31 }, { lifetimeSeconds: null })).toEqual([]);
});

test('a certificate for servers as well, or for anything, goes beyond what was asked', async () => {
  expect(await codes({ purposes: ['1.3.6.1.5.5.7.3.2', '1.3.6.1.5.5.7.3.1'] })).toEqual(['usage_exceeded']);
  expect(await codes({ purposes: null })).toEqual(['usage_exceeded']);
});

test('everything that an import is refused for is told, with all else that is wrong', async () => {
  expect(await codes({}, { spki: '0'.repeat(64) })).toEqual(['key_mismatch']);
  expect(await codes({ from: -9, to: -1 })).toEqual(['certificate_expired']);
  expect(await codes({ ca: true, subject: 'CN=x' })).toEqual([
    'certificate_not_for_clients',
    'subject_differs',
    'usage_exceeded',
  ]);
  const other = await make({ subject: 'CN=Root', ca: true, to: 3650 });
  expect(await codes({}, { issuerChain: [other.certificate] })).toEqual(['chain_untrusted']);
  const { mismatches, chain } = await judged({ hash: 'SHA-1' });
  expect(mismatches.map(({ code }) => code)).toEqual(['key_too_weak']);
  expect(chain.map(({ subject }) => subject)).toEqual(['CN=Root']);
});
