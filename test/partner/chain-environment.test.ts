import { describe, expect, test } from 'vitest';
import type { Environment, IssuerChain } from '../../src/partner/profile.ts';
import { environmentOfChain, Profiles } from '../../src/partner/profile.ts';
import type { Certificate } from '../../src/x509/certificate.ts';
import { makeCa } from '../x509/made-certificate.ts';

const LIFECYCLE = {
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
} as const satisfies Environment['lifecycle'];

const sandboxRoot = (await makeCa({ subject: 'CN=Sandbox Root' })).certificate;
const productionRoot = (await makeCa({ subject: 'CN=Production Root' })).certificate;
const stranger = (await makeCa({ subject: 'CN=Stranger' })).certificate;

const pinned = (...roots: Certificate[]): IssuerChain => ({
  source: 'upload',
  sha256: roots.map(({ fingerprint }) => fingerprint),
});
const any: IssuerChain = { source: 'upload', sha256: null };
const file = (...certificates: Certificate[]): IssuerChain => ({ source: 'file', file: 'x.pem', certificates });

function profiles(sandbox: IssuerChain, production: IssuerChain): Profiles {
  const environments = new Map(
    Object.entries({ sandbox, production }).map(([name, issuerChain]): [string, Environment] => [
      name,
      {
        partner: 'acme',
        name,
        issuerChain,
        endpoints: [],
        serverTrust: { mode: 'system' },
        refusals: [],
        companions: [],
        lifecycle: LIFECYCLE,
      },
    ]),
  );
  return new Profiles([{ partner: 'acme', title: 'Acme', contacts: [], environments }], 'of this test');
}

describe('the environment that a chain belongs to', () => {
  test.each([
    ['is told by a fingerprint', pinned(sandboxRoot), pinned(productionRoot), [sandboxRoot], 'sandbox'],
    ['is told by a file', file(sandboxRoot), file(productionRoot), [productionRoot], 'production'],
    ['is told when only the other one lists its roots', any, pinned(productionRoot), [productionRoot], 'production'],
    ['is not told by a stranger’s chain', pinned(sandboxRoot), pinned(productionRoot), [stranger], null],
    ['is not told when nothing is listed', any, any, [sandboxRoot], null],
    ['is not told when both share a root', pinned(sandboxRoot), pinned(sandboxRoot), [sandboxRoot], null],
    ['is not told by roots of both', pinned(sandboxRoot), pinned(productionRoot), [sandboxRoot, productionRoot], null],
    ['is not told by no chain', pinned(sandboxRoot), any, [], null],
  ])('%s', (_what, sandbox, production, chain, expected) => {
    expect(environmentOfChain(profiles(sandbox, production), 'acme', chain)).toBe(expected);
  });

  test('of an unknown partner is refused', () => {
    expect(() => environmentOfChain(profiles(any, any), 'nobody', [])).toThrow(
      expect.objectContaining({ code: 'not_found' }),
    );
  });
});
