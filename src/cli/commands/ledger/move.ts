import { loadConfig } from '../../../compose/config.ts';
import { moveToPostgres } from '../../../compose/ledger/move-to-postgres.ts';
import type { Context } from '../../context.ts';
import { askSecret } from '../../terminal/prompt.ts';
import { type PostgresOptions, postgresSetting } from './postgres-options.ts';

export default async function ledgerMove({ home, terminal }: Context, options: PostgresOptions): Promise<void> {
  const config = await loadConfig(home);
  const setting = postgresSetting(options, '--');
  const { size, kept } = await moveToPostgres(config, setting, askSecret);
  terminal.result({ size, kept, postgres: setting }, [
    `The ledger is in PostgreSQL now: ${size} entries, every row compared and the tree verified before the commit.`,
    `keyturn.yaml names it. The file of before is ${kept}; it must not be opened again.`,
  ]);
}
