import { z } from 'zod';
import { nameOf, type PostgresPlace } from '../../ledger/postgres/connection/place.ts';
import { given } from './given.ts';
import { type AbsolutePath, path } from './path.ts';

const postgres = z.strictObject({
  /** Name, address, or the folder of a Unix socket. */
  host: z.string().min(1).max(253),
  port: z.int().min(1).max(65_535).optional(),
  database: z.string().min(1).max(63),
  user: z.string().min(1).max(63),
  schema: z
    .string()
    .regex(/^[a-z_][a-z0-9_]{0,48}$/, 'lower-case letters, digits and underscores, at most 49')
    .optional(),
  'password-file': path.optional(),
  ca: path.optional(),
});

export const ledger = z.union([z.strictObject({ path }), z.strictObject({ postgres })], {
  error: 'give path: PATH, or postgres: with host, database and user',
});

/** Where state and log are: a file of this instance alone, or a database of many. */
export type LedgerSetting = { readonly path: string } | { readonly postgres: PostgresPlace };

/** As it stands in `keyturn.yaml`. */
export type PostgresSetting = z.input<typeof postgres>;

export function ledgerSetting(data: z.infer<typeof ledger>, at: AbsolutePath): LedgerSetting {
  if ('path' in data) return { path: at(data.path) };
  const { host, port, database, user, schema, 'password-file': passwordFile, ca } = data.postgres;
  return {
    postgres: {
      host,
      database,
      user,
      ...given({ port, schema }),
      ...(passwordFile === undefined ? {} : { passwordFile: at(passwordFile) }),
      ...(ca === undefined ? {} : { ca: at(ca) }),
    },
  };
}

/** For people. */
export function placeOfLedger(ledger: LedgerSetting): string {
  return 'path' in ledger ? ledger.path : nameOf(ledger.postgres);
}
