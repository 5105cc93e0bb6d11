import { parseDuration } from '../../../core/duration.ts';
import { KeyturnError } from '../../../core/errors.ts';
import type { Api } from '../../api/api.ts';
import type { Context } from '../../context.ts';
import { NewFile } from '../../terminal/new-file.ts';

interface Options {
  readonly ttl?: string;
  readonly comment?: string;
  readonly out?: string;
}

interface Created {
  readonly id: string;
  readonly principal: string;
  readonly expiresAt: string;
  readonly token: string;
  readonly connection: unknown;
}

/**
 * The token goes into a file of mode 0600 and nowhere else: it is not printed, not even with --json. Both files are
 * made before the token is, and a token that can't be written is revoked, so that there is never one that nobody holds.
 */
export default async function tokenCreate(
  { terminal, api }: Context,
  options: Options,
  principal: string,
): Promise<void> {
  const prefix = options.out ?? principal.replace(/^[a-z]+:/, '').replaceAll(/[^A-Za-z0-9._-]/g, '_');
  const json = {
    principal,
    ttlSeconds: parseDuration(options.ttl ?? '90d'),
    comment: options.comment ?? `made with the CLI for ${principal}`,
  };
  const open = await api();
  await using token = await NewFile.make(`${prefix}.token`, 0o600);
  await using connection = await NewFile.make(`${prefix}.connection.json`, 0o644);
  const created = (await open.call({ method: 'POST', path: '/v1/tokens', json })) as Created;
  const { id, expiresAt } = created;
  try {
    await connection.keep(`${JSON.stringify(created.connection, null, 2)}\n`);
    await token.keep(created.token);
  } catch (error) {
    throw await takenBack(open, id, error);
  }
  terminal.result({ id, principal, expiresAt, tokenFile: token.path, connectionFile: connection.path }, [
    `Made a token for ${principal}, good until ${expiresAt} (${id}).`,
    `Wrote ${token.path} (secret, mode 0600) and ${connection.path} (public).`,
  ]);
}

async function takenBack(open: Api, id: string, error: unknown): Promise<KeyturnError> {
  const why = error instanceof KeyturnError ? error.message : "Its file can't be written.";
  const revoked = await open.call({ method: 'DELETE', path: `/v1/tokens/${id}` }).then(
    () => true,
    () => false,
  );
  const [what, fix] = revoked
    ? ['The token was revoked again', 'Make room, or choose another place with --out.']
    : [`The token ${id} was made, and nobody holds it`, `Revoke it: keyturn token revoke ${id}`];
  return new KeyturnError('invalid_input', `${why} ${what}.`, { fix });
}
