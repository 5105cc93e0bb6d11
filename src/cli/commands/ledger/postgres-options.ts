import { resolve } from 'node:path';
import { type PostgresSetting, postgresFault } from '../../../compose/settings/ledger.ts';
import { KeyturnError } from '../../../core/errors.ts';

/** A database as the options `--postgres-…` name it. */
export interface PostgresOptions {
  readonly postgresHost?: string | undefined;
  readonly postgresPort?: string | undefined;
  readonly postgresDatabase?: string | undefined;
  readonly postgresUser?: string | undefined;
  readonly postgresSchema?: string | undefined;
  readonly postgresPasswordFile?: string | undefined;
  readonly postgresCa?: string | undefined;
}

/** Whether any of them is given. */
export function namesPostgres(options: PostgresOptions): boolean {
  return Object.entries(options).some(([name, value]) => name.startsWith('postgres') && value !== undefined);
}

/**
 * As `keyturn.yaml` takes it; files are named from where the command runs.
 * @throws KeyturnError `invalid_input` when host, database or user is missing, or one of them can't be.
 */
export function postgresSetting(options: PostgresOptions): PostgresSetting {
  const { postgresHost: host, postgresPort: port, postgresDatabase: database, postgresUser: user } = options;
  const { postgresSchema: schema, postgresPasswordFile: passwordFile, postgresCa: ca } = options;
  if (host === undefined || database === undefined || user === undefined) {
    throw new KeyturnError('invalid_input', 'Name the database that the ledger is to be in.', {
      fix: 'Give --postgres-host, --postgres-database and --postgres-user.',
    });
  }
  const setting = {
    host,
    ...(port === undefined ? {} : { port: Number(port) }),
    database,
    user,
    ...(schema === undefined ? {} : { schema }),
    ...(passwordFile === undefined ? {} : { 'password-file': resolve(passwordFile) }),
    ...(ca === undefined ? {} : { ca: resolve(ca) }),
  };
  const fault = postgresFault(setting);
  if (fault === null) return setting;
  throw new KeyturnError('invalid_input', `--postgres-${fault.member}: ${fault.what}.`, {
    fix: 'Correct this option.',
  });
}
