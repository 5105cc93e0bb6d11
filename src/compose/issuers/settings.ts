import { z } from 'zod';
import { parseDuration } from '../../core/duration.ts';
import type { LocalIssuerOptions } from '../../issuer/local/options.ts';
import type { VaultPkiOptions } from '../../issuer/vault-pki/options.ts';
import { given } from '../settings/given.ts';
import type { AbsolutePath } from '../settings/path.ts';
import { vaultConnection, vaultConnectionOptions } from '../settings/vault.ts';

/** Name of the issuer that is a person at the partner; always there. */
export const BY_HAND = 'manual';

const duration = z.string().transform((text, context) => {
  try {
    return parseDuration(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'not a duration such as 90d' });
    return z.NEVER;
  }
});

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

/** Issuers of certificates, by the names that partner profiles, ledger and log know them by. */
export const issuers = z
  .record(
    z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, { error: 'an issuer’s name has lower-case letters, digits and dashes' }),
    z.discriminatedUnion('kind', [local, vaultPki], { error: 'kind is local or vault-pki' }),
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
);

export function issuerSettings(named: z.infer<typeof issuers>, at: AbsolutePath): IssuerSetting[] {
  return Object.entries(named).map(([name, setting]) =>
    setting.kind === 'local'
      ? { name, kind: 'local', store: setting.store ?? null, options: localOptions(setting) }
      : { name, kind: 'vault-pki', options: vaultPkiOptions(setting, at) },
  );
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
