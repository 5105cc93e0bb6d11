import { z } from 'zod';
import type { AwsPcaOptions } from '../../issuer/aws-pca/options.ts';
import type { LocalIssuerOptions } from '../../issuer/local/options.ts';
import type { VaultPkiOptions } from '../../issuer/vault-pki/options.ts';
import { duration } from '../../partner/duration.ts';
import { awsConnection, awsConnectionOptions } from '../settings/aws.ts';
import { given } from '../settings/given.ts';
import type { AbsolutePath } from '../settings/path.ts';
import { vaultConnection, vaultConnectionOptions } from '../settings/vault.ts';

/** Name of the issuer that is a person at the partner; always there. */
export const BY_HAND = 'manual';

const local = z.strictObject({
  kind: z.literal('local'),
  /** Key store that takes its key. Default: the one that takes new keys. */
  store: z.string().optional(),
  'common-name': z.string().min(1).max(64).optional(),
  maximum: duration.optional(),
  list: duration.optional(),
  'list-url': z.url({ protocol: /^https?$/ }).optional(),
});

const name = z.string().min(1).max(200);

const vaultPki = z.strictObject({
  kind: z.literal('vault-pki'),
  ...vaultConnection,
  mount: name.optional(),
  role: name.optional(),
  'find-limit': z.int().min(1).max(100_000).optional(),
});

const { region: _region, ...awsConnectionWithoutRegion } = awsConnection;

/** The authority says in which region it is. */
const awsPca = z.strictObject({
  kind: z.literal('aws-pca'),
  ...awsConnectionWithoutRegion,
  authority: z.string().min(1).max(200),
  lifetime: duration.optional(),
});

/** Issuers of certificates, by the names that partner profiles, ledger and log know them by. */
export const issuers = z
  .record(
    z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, { error: 'an issuer’s name has lower-case letters, digits and dashes' }),
    z.discriminatedUnion('kind', [local, vaultPki, awsPca], { error: 'kind is one of local, vault-pki and aws-pca' }),
  )
  .refine((named) => !(BY_HAND in named), { error: `${BY_HAND} is the issuer that is a person; it is always there` });

/** One issuer as parsed: what opens it. */
export type IssuerSetting = { readonly name: string } & (
  | {
      readonly kind: 'local';
      /** Null for the store that takes new keys. */
      readonly store: string | null;
      readonly options: Omit<LocalIssuerOptions, 'name' | 'home'>;
    }
  | { readonly kind: 'vault-pki'; readonly options: VaultPkiOptions }
  | { readonly kind: 'aws-pca'; readonly options: AwsPcaOptions }
);

export function issuerSettings(named: z.infer<typeof issuers>, at: AbsolutePath): IssuerSetting[] {
  return Object.entries(named).map(([name, setting]) => ({ name, ...settingOf(setting, at) }));
}

function settingOf(setting: z.infer<typeof issuers>[string], at: AbsolutePath) {
  const { kind } = setting;
  if (kind === 'local') return { kind, store: setting.store ?? null, options: localOptions(setting) };
  if (kind === 'vault-pki') return { kind, options: vaultPkiOptions(setting, at) };
  return { kind, options: awsPcaOptions(setting) };
}

function localOptions(setting: z.infer<typeof local>) {
  return given({
    commonName: setting['common-name'],
    maximumSeconds: setting.maximum,
    listSeconds: setting.list,
    listUrl: setting['list-url'],
  });
}

function vaultPkiOptions(setting: z.infer<typeof vaultPki>, at: AbsolutePath): VaultPkiOptions {
  const { mount, role, 'find-limit': findLimit } = setting;
  return { ...vaultConnectionOptions(setting, at), ...given({ mount, role, findLimit }) };
}

function awsPcaOptions(setting: z.infer<typeof awsPca>): AwsPcaOptions {
  const { authority, lifetime: lifetimeSeconds } = setting;
  return { ...awsConnectionOptions(setting), authority, ...given({ lifetimeSeconds }) };
}
