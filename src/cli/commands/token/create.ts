import { writeFile } from 'node:fs/promises';
import { parseDuration } from '../../../core/duration.ts';
import { KeyturnError } from '../../../core/errors.ts';
import type { Context } from '../../context.ts';

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

/** The token goes into a file of mode 0600 and nowhere else: it is not printed, not even with --json. */
export default async function tokenCreate(
  { terminal, api }: Context,
  options: Options,
  principal: string,
): Promise<void> {
  const prefix = options.out ?? principal.split(':')[1] ?? 'client';
  const json = {
    principal,
    ttlSeconds: parseDuration(options.ttl ?? '90d'),
    comment: options.comment ?? `made with the CLI for ${principal}`,
  };
  const created = (await (await api()).call({ method: 'POST', path: '/v1/tokens', json })) as Created;
  const tokenFile = `${prefix}.token`;
  const connectionFile = `${prefix}.connection.json`;
  await writeNew(tokenFile, created.token, 0o600);
  await writeNew(connectionFile, `${JSON.stringify(created.connection, null, 2)}\n`, 0o644);
  const { id, expiresAt } = created;
  terminal.result({ id, principal, expiresAt, tokenFile, connectionFile }, [
    `Made a token for ${principal}, good until ${expiresAt} (${id}).`,
    `Wrote ${tokenFile} (secret, mode 0600) and ${connectionFile} (public).`,
  ]);
}

async function writeNew(path: string, content: string, mode: number): Promise<void> {
  try {
    await writeFile(path, content, { mode, flag: 'wx' });
  } catch {
    throw new KeyturnError('conflict', `${path} can't be written; it may exist already.`, {
      fix: 'Choose another --out and revoke the token that was just made: keyturn token list.',
    });
  }
}
