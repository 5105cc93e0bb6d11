// Loads nothing that talks to a database: the configuration of every server reads this.
import { KeyturnError } from '../../../core/errors.ts';

/** Where the database is and who we are there. */
export interface PostgresPlace {
  /** Name, address, or the folder of a Unix socket (begins with `/`). */
  readonly host: string;
  /** Default 5432. */
  readonly port?: number;
  readonly database: string;
  readonly user: string;
  /** A schema of our own in that database; made when missing. Default `keyturn`. */
  readonly schema?: string;
  /** Read at every connect, mode 0600. Default: none, so that PGPASSFILE or ~/.pgpass is looked into. */
  readonly passwordFile?: string;
  /** PEM file with the roots that the server's certificate must lead to. Default: those that Node ships. */
  readonly ca?: string;
}

export const DEFAULT_PORT = 5432;
const DEFAULT_SCHEMA = 'keyturn';
const SCHEMA_NAME = /^[a-z_][a-z0-9_]{0,48}$/;

/** @throws KeyturnError `config_invalid` for a name that is not plain: it stands in SQL. */
export function schemaOf(place: PostgresPlace): string {
  const { schema = DEFAULT_SCHEMA } = place;
  if (SCHEMA_NAME.test(schema)) return schema;
  throw new KeyturnError('config_invalid', 'The name of the ledger’s schema is not plain.', {
    fix: 'Use lower-case letters, digits and underscores, at most 49.',
  });
}

/** A name as it stands in SQL, whatever it holds. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** `postgres://user@host:port/database`, for people. */
export function nameOf({ host, port = DEFAULT_PORT, database, user }: PostgresPlace): string {
  return `postgres://${user}@${host}:${port}/${database}`;
}
