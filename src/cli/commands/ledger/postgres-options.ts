import { resolve } from 'node:path';
import type { PostgresSetting } from '../../../compose/settings/ledger.ts';
import { KeyturnError } from '../../../core/errors.ts';

/** A database as options name it. */
export interface PostgresOptions {
  readonly host?: string | undefined;
  readonly port?: string | undefined;
  readonly database?: string | undefined;
  readonly user?: string | undefined;
  readonly schema?: string | undefined;
  readonly passwordFile?: string | undefined;
  readonly ca?: string | undefined;
}

/**
 * As `keyturn.yaml` takes it; files are named from where the command runs. `prefix` is what stands before the options'
 * names, e.g. `--` or `--postgres-`.
 * @throws KeyturnError `invalid_input` when host, database or user is missing.
 */
export function postgresSetting(options: PostgresOptions, prefix: string): PostgresSetting {
  const { host, port, database, user, schema, passwordFile, ca } = options;
  if (host === undefined || database === undefined || user === undefined) {
    throw new KeyturnError('invalid_input', 'Name the database that the ledger is to be in.', {
      fix: `Give ${prefix}host, ${prefix}database and ${prefix}user.`,
    });
  }
  return {
    host,
    ...(port === undefined ? {} : { port: Number(port) }),
    database,
    user,
    ...(schema === undefined ? {} : { schema }),
    ...(passwordFile === undefined ? {} : { 'password-file': resolve(passwordFile) }),
    ...(ca === undefined ? {} : { ca: resolve(ca) }),
  };
}
