import { stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { attention, type Check } from '../../../core/check.ts';
import type { VaultConnection, VaultLogin } from '../options.ts';
import { variable } from '../settings/environment.ts';
import { tlsSettings } from '../settings/tls.ts';

type Named = readonly [what: string, file: string];

/**
 * Files by which whoever reads them logs in as Keyturn does, and that more people can read than need to. They are taken
 * all the same: a platform that replaces one must not stop the server. A projected token is left out, since it is
 * world-readable in its pod by default, and ends within the hour.
 */
export async function examineSecretFiles(connection: VaultConnection): Promise<Check[]> {
  if (process.geteuid === undefined) return []; // Windows has no owner or mode bits to check
  return (await Promise.all([...loginFiles(connection), ...keyFiles(connection)].map(examined))).flat();
}

function loginFiles({ login, environment = process.env }: VaultConnection): Named[] {
  if (login !== undefined) return configured(login);
  if (variable(environment, 'TOKEN') !== null) return [];
  return [['token', join(environment['HOME'] ?? homedir(), '.vault-token')]];
}

function configured(login: VaultLogin): Named[] {
  if (login.method === 'token_file') return [['token', login.file]];
  if (login.method === 'approle')
    return [[login.wrapped === true ? 'wrapping token' : 'secret ID', login.secretIdFile]];
  return [];
}

function keyFiles({ tls = {}, environment = process.env }: VaultConnection): Named[] {
  const { clientKey } = tlsSettings(tls, environment);
  return clientKey !== null && 'file' in clientKey.value ? [['client key', clientKey.value.file]] : [];
}

/** Of a file that another user keeps for us, such as an agent's, the group is the way by which we read it. */
async function examined([what, file]: Named): Promise<Check[]> {
  const found = await stat(file).catch(() => null);
  if (found === null) return []; // whoever needs it says so
  const own = found.uid === process.geteuid?.();
  if ((found.mode & (own ? 0o077 : 0o007)) === 0) return [];
  const mode = (found.mode & 0o777).toString(8);
  const change = own ? `chmod 600 ${file}` : `as its owner chmod o-rwx ${file}`;
  const evidence = `the ${what} in ${file} is open to others (mode ${mode}): whoever reads it logs in as Keyturn`;
  return [attention('login file', evidence, `Run ${change}; if others may have read it, replace it.`)];
}
