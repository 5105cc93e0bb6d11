import { resolve } from 'node:path';
import { loadConfig } from '../../../compose/config.ts';
import { moveToPostgres, type PostgresSetting } from '../../../compose/ledger/move-to-postgres.ts';
import { KeyturnError } from '../../../core/errors.ts';
import type { Context } from '../../context.ts';
import { askSecret } from '../../terminal/prompt.ts';

interface Options {
  readonly host?: string;
  readonly port?: string;
  readonly database?: string;
  readonly user?: string;
  readonly schema?: string;
  readonly passwordFile?: string;
  readonly ca?: string;
}

export default async function ledgerMove({ home, terminal }: Context, options: Options): Promise<void> {
  const config = await loadConfig(home);
  const setting = settingOf(options);
  const { size, kept } = await moveToPostgres(config, setting, askSecret);
  terminal.result({ size, kept, postgres: setting }, [
    `The ledger is in PostgreSQL now: ${size} entries, every row compared and the tree verified before the commit.`,
    `keyturn.yaml names it. The file of before is ${kept}; it must not be opened again.`,
  ]);
}

function settingOf({ host, port, database, user, schema, passwordFile, ca }: Options): PostgresSetting {
  if (host === undefined || database === undefined || user === undefined) {
    throw new KeyturnError('invalid_input', 'Name the database that the ledger moves to.', {
      fix: 'Give --host, --database and --user.',
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
