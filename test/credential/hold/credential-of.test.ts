import { expect, test } from 'vitest';
import { aboutOf, credentialOf } from '../../../src/credential/hold/credential-of.ts';
import type { HoldTarget } from '../../../src/ledger/tables.ts';

test.each<[HoldTarget, string, object]>([
  ['credential', 'lean/sandbox', { credential: 'lean/sandbox' }],
  ['version', 'lean/sandbox@12', { credential: 'lean/sandbox', version: 12 }],
  ['principal', 'service:payments', {}],
  ['host', '192.0.2.1', {}],
  ['store', 'file', {}],
])('a hold on a %s stands on the trail of the credential that it names, if any', (target, subject, about) => {
  expect(aboutOf({ target, subject })).toEqual(about);
  expect(credentialOf({ target, subject })).toBe('credential' in about ? about.credential : null);
});
