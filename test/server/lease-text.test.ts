import { serialize } from 'node:v8';
import { expect, test } from 'vitest';
import type { Lease } from '../../src/credential/lease/lease.ts';
import type { VersionRow } from '../../src/ledger/tables.ts';
import type { Environment } from '../../src/partner/environment.ts';
import { Profiles } from '../../src/partner/profile.ts';
import { leaseText } from '../../src/server/lease-text.ts';

const NOTE = 'keyturn/log\n7\nAAAA\n\n— keyturn/log c2ln\n';

function profilesWith(host: string): Profiles {
  const environment = {
    endpoints: [{ host, port: 443 }],
    serverTrust: { mode: 'system' },
    refusals: [{ kind: 'alert' }],
  } as unknown as Environment;
  return new Profiles(
    [{ partner: 'lean', title: 'Lean', contacts: [], environments: new Map([['sandbox', environment]]) }],
    'of this test',
  );
}

function leaseOf(version: VersionRow, more: Partial<Lease> = {}): Lease {
  const row = {
    id: 'lease_1',
    credential: 'lean/sandbox',
    version: 3,
    principal: 'service:payments',
    token: 'token_1',
    state: 'live',
    granted_at: 0,
    renewed_at: null,
    expires_at: 1_000,
    uses: null,
    replaced_by: null,
    in_use: null,
  } as const;
  const receipt = { index: 6, entry: '{"actor":"service:zahlungen-ü"}', inclusion: ['aGFzaA=='], checkpoint: NOTE };
  return { row, version, secondsLeft: 60, sealed: { enc: 'e', seq: 0, ct: 'c' }, receipt, ...more };
}

const VERSION = {
  credential: 'lean/sandbox',
  version: 3,
  spki: 'ab',
  certificate: '-----BEGIN CERTIFICATE-----\nсертификат\n',
  chain: 'chain\n',
} as VersionRow;

test('is the JSON of the whole answer, with what comes from the version, the profile and the log', () => {
  const lease = leaseOf(VERSION);
  expect(JSON.parse(leaseText(profilesWith('api.example'), lease, []))).toEqual({
    lease: 'lease_1',
    credential: 'lean/sandbox',
    version: 3,
    spki: 'ab',
    secondsLeft: 60,
    expiresAt: '1970-01-01T00:00:01.000Z',
    certificate: VERSION.certificate,
    chain: VERSION.chain,
    endpoints: [expect.stringContaining('api.example')],
    trust: expect.objectContaining({ mode: 'system' }),
    refusals: [{ kind: 'alert' }],
    sealed: { enc: 'e', seq: 0, ct: 'c' },
    receipt: lease.receipt,
  });
});

test('is ASCII whatever it is made of, so that its characters count its octets', () => {
  const strange = { ...leaseOf(VERSION).row, credential: 'лин/sandbox' };
  const text = leaseText(profilesWith('bücher.example'), leaseOf(VERSION, { row: strange }), ['— Anweisung für 2 —']);
  expect(Buffer.byteLength(text)).toBe(text.length);
  expect(JSON.parse(text)).toMatchObject({
    credential: 'лин/sandbox',
    receipt: { generations: ['— Anweisung für 2 —'] },
  });
});

test('has all of a receipt, with and without a proof that the log goes on', () => {
  for (const consistency of [
    { from: 3, path: ['YQ==', 'Yi8r'] },
    { from: 7, path: [] },
  ]) {
    const receipt = { ...leaseOf(VERSION).receipt, inclusion: [], consistency };
    expect(JSON.parse(leaseText(profilesWith('api.example'), leaseOf(VERSION, { receipt }), [])).receipt).toEqual(
      receipt,
    );
  }
});

test('carries the statements of generations when there are some, and no sealed part when there is none', () => {
  const text = leaseText(profilesWith('api.example'), leaseOf(VERSION, { sealed: null }), ['statement — 2']);
  expect(JSON.parse(text)).toMatchObject({
    sealed: null,
    receipt: { checkpoint: NOTE, generations: ['statement — 2'] },
  });
});

test('what is kept of a version is made anew for other profiles, another row and another checkpoint', () => {
  const endpointsOf = (text: string): unknown => JSON.parse(text).endpoints;
  const first = endpointsOf(leaseText(profilesWith('old.example'), leaseOf(VERSION), []));
  expect(endpointsOf(leaseText(profilesWith('new.example'), leaseOf(VERSION), []))).not.toEqual(first);
  const next = { ...VERSION, certificate: 'another' };
  const other = { ...leaseOf(next).receipt, checkpoint: NOTE.replace('7', '8') };
  expect(JSON.parse(leaseText(profilesWith('new.example'), leaseOf(next, { receipt: other }), []))).toMatchObject({
    certificate: 'another',
    receipt: { checkpoint: other.checkpoint },
  });
});

test('what rests is ASCII, whatever the certificate and the note hold', () => {
  const receipt = { ...leaseOf(VERSION).receipt, entry: '{}' };
  const text = leaseText(profilesWith('api.example'), leaseOf(VERSION, { receipt }), []);
  expect(text).toMatch(/^[ -~]*$/);
  // V8 writes a string of one octet a character under the tag ", one of two under c (value-serializer.cc).
  expect(String.fromCharCode(serialize(text)[2] ?? 0)).toBe('"');
});
