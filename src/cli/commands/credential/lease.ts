import { connect } from '../../../client/index.ts';
import { pathsOf } from '../../api/api.ts';
import { readTokenFile } from '../../api/token-file.ts';
import type { Context } from '../../context.ts';
import { facts } from '../../terminal/terminal.ts';

/** Borrows through the client library itself, shows what came, and gives it back. The key is never shown. */
export default async function lease({ where, terminal }: Context, _options: object, name: string): Promise<void> {
  const { connectionPath, tokenPath } = pathsOf(where);
  // The library warns of a token file that is open to others; a command refuses it, as all commands do.
  (await readTokenFile(tokenPath)).fill(0);
  await using client = await connect({ connection: connectionPath, token: tokenPath });
  await using credential = await client.credential(name);
  const status = credential.status();
  terminal.result(status, [
    `Lent, checked and returned: ${name}`,
    ...facts(Object.entries(status).map(([key, value]) => [key, String(value)] as const)),
  ]);
}
