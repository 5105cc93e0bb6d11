import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type ErrorCode, KeyturnError } from '../../src/core/errors.ts';
import { hostsOf, loadProfiles, serverTrustOf } from '../../src/partner/profile.ts';
import { TestCa } from '../fakes/ca.ts';

const ca = await TestCa.create();
const client = await ca.client();

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keyturn-profiles-'));
});
afterEach(() => rm(folder, { recursive: true }));

const SANDBOX = `
    endpoints:
      - { url: https://mtls.acme.example, mtls: true }
      - { url: "https://127.0.0.1:9443", mtls: false }
    issuerChain: { source: file, file: chain.pem }
    serverTrust: { mode: pinned, source: issuer-chain }
    refusals: [{ kind: alert }, { kind: status, status: 400 }]
    companions: [acme-token]`;

const acme = (sandbox = SANDBOX) => `partner: acme\ntitle: Acme\nenvironments:\n  sandbox:${sandbox}\n`;

async function load(files: Readonly<Record<string, string>>) {
  const all = { 'chain.pem': ca.chainPem, ...files };
  for (const [name, text] of Object.entries(all)) await writeFile(join(folder, name), text);
  return loadProfiles(folder);
}

async function refused(files: Readonly<Record<string, string>>, code: ErrorCode = 'profile_invalid'): Promise<string> {
  const outcome = await load(files).then(
    () => expect.fail('was loaded'),
    (error: unknown) => error,
  );
  if (!(outcome instanceof KeyturnError)) throw outcome;
  expect(outcome.code, outcome.message).toBe(code);
  expect(outcome.fix).not.toBeUndefined();
  return outcome.message;
}

describe('a folder of profiles is loaded', () => {
  test('with endpoints, chains, trust, refusals and companions', async () => {
    const environment = (await load({ 'acme.yaml': acme() })).environment('acme', 'sandbox');
    expect(hostsOf(environment)).toEqual(['mtls.acme.example:443', '127.0.0.1:9443']);
    expect(environment).toMatchObject({
      partner: 'acme',
      name: 'sandbox',
      endpoints: [{ mtls: true }, { mtls: false }],
      issuerChain: { source: 'file', file: 'chain.pem' },
      serverTrust: { mode: 'pinned', source: 'issuer-chain' },
      refusals: [{ kind: 'alert' }, { kind: 'status', status: 400 }],
      companions: ['acme-token'],
    });
    const { issuerChain } = environment;
    expect(issuerChain.source === 'file' && issuerChain.certificates[0]!.subject).toBe('CN=Test Root CA');
  });

  test('refusals and companions may be left out; an uploaded chain may name its roots', async () => {
    const least = `
    endpoints: [{ url: https://a.example, mtls: true }]
    issuerChain: { source: upload, sha256: [${'ab'.repeat(32)}] }
    serverTrust: { mode: system }`;
    const environment = (await load({ 'acme.yaml': acme(least) })).environment('acme', 'sandbox');
    expect(environment).toMatchObject({ refusals: [], companions: [], issuerChain: { sha256: ['ab'.repeat(32)] } });
    expect(serverTrustOf(environment, 'CHAIN')).toEqual({ mode: 'system', pem: '' });
  });

  test('trust comes from the chain of the version, or from a file of its own', async () => {
    const own = SANDBOX.replace('mode: pinned, source: issuer-chain', 'mode: both, file: roots.pem');
    const profiles = await load({
      'acme.yaml': acme(`${SANDBOX}\n  production:${own}`),
      'roots.pem': ca.certificatePem,
    });
    expect(serverTrustOf(profiles.environment('acme', 'sandbox'), 'CHAIN')).toEqual({ mode: 'pinned', pem: 'CHAIN' });
    const both = serverTrustOf(profiles.environment('acme', 'production'), 'CHAIN');
    expect(both).toEqual({ mode: 'both', pem: ca.certificatePem });
  });

  test('unknown names are told with those that are known', async () => {
    const profiles = await load({ 'acme.yaml': acme() });
    expect(profiles.partners).toEqual(['acme']);
    for (const [partner, environment, known] of [
      ['nobody', 'sandbox', 'acme'],
      ['acme', 'production', 'sandbox'],
      ['constructor', 'sandbox', 'acme'],
      ['acme', '__proto__', 'sandbox'],
    ] as const) {
      expect(() => profiles.environment(partner, environment)).toThrow(
        expect.objectContaining({ code: 'not_found', message: expect.stringContaining(known) }),
      );
    }
  });

  test('their digest names what was read: the same for the same files, another for another profile or chain', async () => {
    const { digest } = await load({ 'acme.yaml': acme() });
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    expect((await loadProfiles(folder)).digest).toBe(digest);
    const retitled = (await load({ 'acme.yaml': acme().replace('Acme', 'Acme Ltd') })).digest;
    const other = await TestCa.create();
    const rechained = (await load({ 'acme.yaml': acme(), 'chain.pem': other.chainPem })).digest;
    expect(new Set([digest, retitled, rechained]).size).toBe(3);
  });

  test('what an editor hides beside them is none', async () => {
    expect((await load({ 'acme.yaml': acme(), '.#acme.yaml': 'alice@host.1:2' })).partners).toEqual(['acme']);
  });

  test('an empty folder gives none', async () => {
    expect((await load({})).partners).toEqual([]);
  });
});

describe('one fault anywhere refuses the whole load, with file and path', () => {
  test.each([
    ['an unknown member', acme(`${SANDBOX}\n    maxLive: 2`), 'environments.sandbox.maxLive'],
    [
      'an unknown member within an endpoint',
      acme(SANDBOX.replace('mtls: true', 'mtls: true, port: 1')),
      'environments.sandbox.endpoints[0].port',
    ],
    ['a missing member', acme(SANDBOX.replace(/ {4}serverTrust.*\n/, '')), 'environments.sandbox.serverTrust'],
    [
      'a string for a boolean',
      acme(SANDBOX.replace('mtls: true', 'mtls: "yes"')),
      'environments.sandbox.endpoints[0].mtls',
    ],
    [
      'a wildcard',
      acme(SANDBOX.replace('https://mtls.acme.example', '"https://*.acme.example"')),
      'environments.sandbox.endpoints[0].url must name one host',
    ],
    [
      'plain http',
      acme(SANDBOX.replace('https://mtls', 'http://mtls')),
      'environments.sandbox.endpoints[0].url must start with https',
    ],
    [
      'a host twice',
      acme(SANDBOX.replace('"https://127.0.0.1:9443"', 'https://MTLS.acme.example:443')),
      'environments.sandbox.endpoints must name each host once',
    ],
    [
      'no endpoint',
      acme(SANDBOX.replace(/ {6}- .*\n/g, '').replace('endpoints:', 'endpoints: []')),
      'environments.sandbox.endpoints',
    ],
    [
      'an unknown source',
      acme(SANDBOX.replace('source: file, file: chain.pem', 'source: guess')),
      'environments.sandbox.issuerChain.source',
    ],
    [
      'a short fingerprint',
      acme(SANDBOX.replace('source: file, file: chain.pem', 'source: upload, sha256: [ab]')),
      'environments.sandbox.issuerChain.sha256[0]',
    ],
    [
      'a way out of the folder',
      acme(SANDBOX.replace('chain.pem', '../chain.pem')),
      'environments.sandbox.issuerChain.file',
    ],
    [
      'pinned trust without roots',
      acme(SANDBOX.replace('mode: pinned, source: issuer-chain', 'mode: pinned')),
      'environments.sandbox.serverTrust',
    ],
    [
      'pinned trust with two sources',
      acme(SANDBOX.replace('source: issuer-chain', 'source: issuer-chain, file: chain.pem')),
      'environments.sandbox.serverTrust',
    ],
    [
      'system trust with a file',
      acme(SANDBOX.replace('mode: pinned, source: issuer-chain', 'mode: system, file: chain.pem')),
      'environments.sandbox.serverTrust.file',
    ],
    ['a status that is no refusal', acme(SANDBOX.replace('400', '200')), 'environments.sandbox.refusals[1].status'],
    ['an upper-case environment', acme().replace('sandbox:', 'Sandbox:'), 'environments.Sandbox'],
    ['no environment', 'partner: acme\ntitle: Acme\nenvironments: {}\n', 'environments'],
    ['another name than the file', acme().replace('partner: acme', 'partner: other'), 'partner'],
    ['a member twice', `${acme()}title: Again\n`, 'line'],
    ['an alias', `${acme().replace('title: Acme', 'title: &a Acme')}contacts: [{ role: *a }]\n`, 'alias'],
    ['no mapping', '- 1\n', 'acme.yaml'],
    ['nothing', '', 'acme.yaml'],
    ['broken YAML', 'partner: [', 'line'],
    ['a custom tag', acme().replace('title: Acme', 'title: !secret Acme'), 'line'],
  ])('%s', async (_what, text, found) => {
    const message = await refused({ 'acme.yaml': text, 'good.yaml': acme().replace('partner: acme', 'partner: good') });
    expect(message).toContain('acme.yaml');
    expect(message).toContain(found);
  });

  test.each([
    ['missing', {}, 'needs missing.pem'],
    ['not a certificate', { 'missing.pem': 'hello' }, 'not a certificate chain'],
    ['a private key', { 'missing.pem': client.keyPem }, 'private key'],
    ['a client certificate', { 'missing.pem': client.certificatePem }, 'no authority'],
    ['too large', { 'missing.pem': ' '.repeat(256 * 1024 + 1) }, 'larger than'],
  ])('a named file that is %s', async (_what, files, found) => {
    const message = await refused({ 'acme.yaml': acme(SANDBOX.replace('chain.pem', 'missing.pem')), ...files });
    expect(message).toContain('acme.yaml: environments.sandbox.issuerChain.file');
    expect(message).toContain(found);
  });

  test('a file that would be overlooked, and a folder that is not there', async () => {
    expect(await refused({ 'acme.yml': acme() })).toContain('acme.yml');
    await expect(loadProfiles(join(folder, 'none'))).rejects.toMatchObject({ code: 'profile_invalid' });
  });
});
