import { type IssuerKind, issuerAdapters } from '../../../src/issuer/registry.ts';
import { awsPcaHarness } from './aws-pca.ts';
import type { IssuerHarness } from './issuer.ts';
import { localHarness } from './local.ts';
import { vaultPkiHarness } from './vault-pki.ts';

const manualHarness: IssuerHarness = {
  makePlace: async () => ({
    driver: await issuerAdapters.manual(),
    list: async () => null,
    reopen: () => issuerAdapters.manual(),
    remove: async () => {},
  }),
  exceptions: {},
};

/** One a kind that the registry knows: a new adapter does not compile, and fails the suite, until it has its own. */
export const issuerHarnesses: Readonly<Record<IssuerKind, IssuerHarness>> = {
  'aws-pca': awsPcaHarness,
  local: localHarness,
  manual: manualHarness,
  'vault-pki': vaultPkiHarness,
};
