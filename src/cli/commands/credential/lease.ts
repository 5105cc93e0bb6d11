import { join } from 'node:path';
import { connect } from '../../../client/index.ts';
import type { Context } from '../../context.ts';
import { facts } from '../../terminal/terminal.ts';

/** Borrows through the client library itself, shows what came, and gives it back. The key is never shown. */
export default async function lease({ where, terminal }: Context, _options: object, name: string): Promise<void> {
  const connection =
    where.connection ?? process.env['KEYTURN_CONNECTION'] ?? join(where.home, 'admin', 'connection.json');
  const tokenFile = where.tokenFile ?? process.env['KEYTURN_TOKEN_FILE'] ?? join(where.home, 'admin', 'token');
  await using client = await connect({ connection, token: tokenFile });
  await using credential = await client.credential(name);
  const status = credential.status();
  terminal.result(status, [
    `Lent, checked and returned: ${name}`,
    ...facts(Object.entries(status).map(([key, value]) => [key, String(value)] as const)),
  ]);
}
