import type { AwsPcaOptions } from './aws-pca/options.ts';
import type { IssuerDriver } from './driver.ts';
import type { LocalIssuerOptions } from './local/options.ts';
import { openManualIssuer } from './manual/manual-issuer.ts';
import type { VaultPkiOptions } from './vault-pki/options.ts';

/** Every adapter, by the kind that configuration names, with what opens it. */
export const issuerAdapters = {
  // Loaded when it is used: who has another authority needs no SDK of AWS.
  'aws-pca': async (options: AwsPcaOptions): Promise<IssuerDriver> =>
    (await import('./aws-pca/aws-pca-issuer.ts')).openAwsPcaIssuer(options),
  // Loaded when it is used: who has another authority builds no certificates here.
  local: async (options: LocalIssuerOptions): Promise<IssuerDriver> =>
    (await import('./local/local-issuer.ts')).openLocalIssuer(options),
  manual: async (): Promise<IssuerDriver> => openManualIssuer(),
  // Loaded when it is used: who has no Vault needs no client of it.
  'vault-pki': async (options: VaultPkiOptions): Promise<IssuerDriver> =>
    (await import('./vault-pki/vault-pki-issuer.ts')).openVaultPkiIssuer(options),
} as const;

export type IssuerKind = keyof typeof issuerAdapters;

/** What an adapter of this kind needs. */
export type IssuerConfig<K extends IssuerKind = IssuerKind> = Parameters<(typeof issuerAdapters)[K]>[0];
