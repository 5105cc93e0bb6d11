import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseProfile } from '../../src/partner/parse.ts';
import { hostsOf, loadProfiles } from '../../src/partner/profile.ts';

const root = join(import.meta.dirname, '../..');

test('the shipped profile of Lean allows the hosts of Lean’s guide and no other', async () => {
  const profiles = await loadProfiles(join(root, 'policies/partners'));
  const sandbox = profiles.environment('lean', 'sandbox');
  expect(hostsOf(sandbox)).toEqual(['mtls.sandbox.leantech.me:443', 'sandbox.leantech.me:443']);
  expect(sandbox.endpoints.map(({ mtls }) => mtls)).toEqual([true, false]);
  expect(hostsOf(profiles.environment('lean', 'production'))).toEqual(['api.leantech.me:443']);
  for (const name of ['sandbox', 'production']) {
    expect(profiles.environment('lean', name)).toMatchObject({
      companions: ['lean-app-token'],
      serverTrust: { mode: name === 'sandbox' ? 'both' : 'pinned', source: 'issuer-chain' },
      issuerChain: { source: 'upload', sha256: null },
    });
  }
});

test('the example in the description of the format is a valid profile', async () => {
  const text = await readFile(join(root, 'docs/formats/partner-profile.md'), 'utf8');
  const [, example = ''] = /```yaml\n([^`]*)```/.exec(text) ?? [];
  expect(parseProfile('acme.yaml', example).partner).toBe('acme');
});
