import { loadConfig } from '../../../compose/config.ts';
import { moveToPostgres } from '../../../compose/ledger/move-to-postgres.ts';
import { KeyturnError } from '../../../core/errors.ts';
import type { Context } from '../../context.ts';
import { askSecret } from '../../terminal/prompt.ts';
import { type PostgresOptions, postgresSetting } from './postgres-options.ts';

/** As the options were called before `keyturn init` had them as well. */
interface FormerOptions {
  readonly host?: string;
  readonly port?: string;
  readonly database?: string;
  readonly user?: string;
  readonly schema?: string;
  readonly passwordFile?: string;
  readonly ca?: string;
}

export default async function ledgerMove(
  { home, terminal }: Context,
  options: PostgresOptions & FormerOptions,
): Promise<void> {
  const config = await loadConfig(home);
  const setting = postgresSetting(renamed(options));
  const { size, kept } = await moveToPostgres(config, setting, askSecret);
  terminal.result({ size, kept, postgres: setting }, [
    `The ledger is in PostgreSQL now: ${size} entries, every row compared and the tree verified before the commit.`,
    `keyturn.yaml names it. The file of before is ${kept}; it must not be opened again.`,
  ]);
}

function renamed(options: PostgresOptions & FormerOptions): PostgresOptions {
  const { host, port, database, user, schema, passwordFile, ca } = options;
  return {
    postgresHost: one(options.postgresHost, host, 'host'),
    postgresPort: one(options.postgresPort, port, 'port'),
    postgresDatabase: one(options.postgresDatabase, database, 'database'),
    postgresUser: one(options.postgresUser, user, 'user'),
    postgresSchema: one(options.postgresSchema, schema, 'schema'),
    postgresPasswordFile: one(options.postgresPasswordFile, passwordFile, 'password-file'),
    postgresCa: one(options.postgresCa, ca, 'ca'),
  };
}

function one(named: string | undefined, formerly: string | undefined, name: string): string | undefined {
  if (named === undefined || formerly === undefined) return named ?? formerly;
  throw new KeyturnError('invalid_input', `--${name} is --postgres-${name}, and both are given.`, {
    fix: `Give --postgres-${name} alone.`,
  });
}
