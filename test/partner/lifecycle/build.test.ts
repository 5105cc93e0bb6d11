import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { loadProfiles } from '../../../src/partner/profile.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keyturn-lifecycle-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function lifecycle(members: object) {
  const sandbox = {
    endpoints: [
      { url: 'https://mtls.acme.example', mtls: true },
      { url: 'https://acme.example', mtls: false },
    ],
    issuerChain: { source: 'upload' },
    serverTrust: { mode: 'system' },
    companions: ['acme-token'],
    ...members,
  };
  const contacts = [{ role: 'security', email: 'security@acme.example' }];
  const profile = { partner: 'acme', title: 'Acme', contacts, environments: { sandbox } };
  await writeFile(join(folder, 'acme.yaml'), stringify(profile));
  return (await loadProfiles(folder)).environment('acme', 'sandbox').lifecycle;
}

const TEST = { endpoint: 'https://MTLS.acme.example:443/', path: '/banks/v1' };

test('a profile that says nothing gets the careful assumptions', async () => {
  expect(await lifecycle({})).toEqual({
    issuance: {
      issuer: 'manual',
      key: 'partner',
      live: 1,
      portal: [],
      request: { algorithm: 'EC P-256', subject: [], dns: [], uris: [] },
    },
    revocation: { by: 'asking', reasons: false, propagation: 300, deadline: 86_400 },
    hours: null,
    test: null,
    swap: null,
  });
});

test('durations are seconds, the test request names one mTLS endpoint', async () => {
  const said = await lifecycle({
    issuance: { issuer: 'acme-pki', key: 'keyturn', live: 'any', lifetime: '90d', leadTime: '2h', portal: ['Log in'] },
    revocation: { by: 'issuer', contact: 'security', reasons: true, propagation: '15m', deadline: '2d' },
    hours: { zone: 'Asia/Dubai', days: ['sun', 'mon'], from: '08:00', to: '24:00' },
    test: { ...TEST, companions: { 'acme-token': 'acme-token' }, expect: [200, 204], timeout: '3s' },
  });
  expect(said).toMatchObject({
    issuance: { issuer: 'acme-pki', live: 'any', lifetime: 7_776_000, leadTime: 7_200 },
    revocation: { by: 'issuer', propagation: 900, deadline: 172_800 },
    hours: { from: 480, to: 1_440, days: new Set([0, 1]) },
    test: { host: 'mtls.acme.example:443', method: 'GET', path: '/banks/v1', expect: [200, 204], timeoutSeconds: 3 },
  });
});

const TWO = { issuance: { live: 2 }, test: TEST };

test('a share of the clients comes first where two may live, and only when it is asked for', async () => {
  const { swap } = await lifecycle({ ...TWO, swap: { share: 0.1 } });
  expect(swap).toEqual({ share: 0.1, for: 600, failures: 3, beyond: 0.01 });
});

test.each([
  ['revocation.by', { revocation: { by: 'issuer' } }],
  ['issuance.key', { issuance: { issuer: 'acme-pki' } }],
  ['issuance.live', { issuance: { live: 0 } }],
  ['issuance.issuer', { issuance: { issuer: 'Not A Name' } }],
  ['issuance.leadTime', { issuance: { leadTime: 'soon' } }],
  ['revocation.contact', { revocation: { contact: 'nobody' } }],
  ['hours.zone', { hours: { zone: 'Mars' } }],
  ['hours.closed[0].to', { hours: { zone: 'UTC', closed: [{ from: '2026-01-02', to: '2026-01-01', why: 'x' }] } }],
  ['hours.days', { hours: { zone: 'UTC', days: ['fri', 'payday'] } }],
  ['test.endpoint', { test: { ...TEST, endpoint: 'https://acme.example' } }],
  ['test.endpoint', { test: { ...TEST, endpoint: 'https://elsewhere.example' } }],
  ['test.path', { test: { ...TEST, path: 'banks' } }],
  ['test.path', { test: { ...TEST, path: '/a b' } }],
  ['test.headers', { test: { ...TEST, headers: { host: 'elsewhere.example' } } }],
  ['test.headers', { test: { ...TEST, headers: { 'x-a': 'b\r\nx-c: d' } } }],
  ['test.companions', { test: { ...TEST, companions: { 'acme-token': 'other' } } }],
  ['test.body', { test: { ...TEST, body: '{}' } }],
  ['test.expect', { test: { ...TEST, expect: [500] } }],
  ['swap.share', { ...TWO, swap: { share: 0 } }],
  ['swap.share', { ...TWO, swap: {} }],
  ['swap.for', { ...TWO, swap: { share: 0.1, for: '9s' } }],
  ['swap.beyond', { ...TWO, swap: { share: 0.1, beyond: 1 } }],
  ['swap needs two certificates', { test: TEST, swap: { share: 0.1 } }],
  ['swap needs a test', { issuance: { live: 2 }, swap: { share: 0.1 } }],
])('a fault at %s refuses the profile', async (path, members) => {
  await expect(lifecycle(members)).rejects.toMatchObject({
    code: 'profile_invalid',
    message: expect.stringContaining(`acme.yaml: environments.sandbox.${path}`),
    fix: expect.stringMatching(/\S/),
  });
});
