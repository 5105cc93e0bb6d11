import { z } from 'zod';
import { nameOf, type PostgresPlace } from '../../ledger/postgres/connection/place.ts';
import { given } from './given.ts';
import { type AbsolutePath, path } from './path.ts';

const PORT = 'must be a whole number from 1 to 65535';
const HOST = 'must be a name, an address, or the folder of a socket, of at most 253 characters';
/** PostgreSQL cuts longer identifiers off. */
const NAME = 'must have 1 to 63 characters';
/** PostgreSQL keeps names that begin with pg_ for itself. */
const SCHEMA = 'must be lower-case letters, digits and underscores, at most 49, and not begin with pg_';

const postgres = z.strictObject({
  /** Name, address, or the folder of a Unix socket. */
  host: z.string({ error: HOST }).min(1, HOST).max(253, HOST),
  port: z.int({ error: PORT }).min(1, PORT).max(65_535, PORT).optional(),
  database: z.string({ error: NAME }).min(1, NAME).max(63, NAME),
  user: z.string({ error: NAME }).min(1, NAME).max(63, NAME),
  schema: z
    .string({ error: SCHEMA })
    .regex(/^(?!pg_)[a-z_][a-z0-9_]{0,48}$/, SCHEMA)
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

/** Which member can't be, and what it must be; null where all can. */
export function postgresFault(setting: PostgresSetting): { readonly member: string; readonly what: string } | null {
  const [issue] = postgres.safeParse(setting).error?.issues ?? [];
  return issue === undefined ? null : { member: issue.path.map(String).join('.'), what: issue.message };
}

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
