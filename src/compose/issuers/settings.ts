import { z } from 'zod';
import { parseDuration } from '../../core/duration.ts';
import { given } from '../settings/given.ts';

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

/** Issuers of certificates, by the names that partner profiles, ledger and log know them by. */
export const issuers = z
  .record(
    z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]{0,31}$/, { error: 'an issuer’s name has lower-case letters, digits and dashes' }),
    z.discriminatedUnion('kind', [local], { error: 'kind is local' }),
  )
  .refine((named) => !(BY_HAND in named), { error: `${BY_HAND} is the issuer that is a person; it is always there` });

/** One issuer as parsed: what opens it. */
export type IssuerSetting = { readonly name: string } & LocalSetting;

export interface LocalSetting {
  readonly kind: 'local';
  readonly store: string | null;
  readonly options: {
    readonly commonName?: string;
    readonly maximumSeconds?: number;
    readonly listSeconds?: number;
    readonly listUrl?: string;
  };
}

export function issuerSettings(named: z.infer<typeof issuers>): IssuerSetting[] {
  return Object.entries(named).map(([name, setting]) => ({ name, ...localSetting(setting) }));
}

function localSetting(setting: z.infer<typeof local>): LocalSetting {
  return {
    kind: 'local',
    store: setting.store ?? null,
    options: given({
      commonName: setting['common-name'],
      maximumSeconds: setting.maximum,
      listSeconds: setting.list,
      listUrl: setting['list-url'],
    }),
  };
}
