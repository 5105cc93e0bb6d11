import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Config, loadConfig } from '../../compose/config.ts';
import { checkRules } from '../../compose/upkeep/check-rules.ts';
import { KeyturnError } from '../../core/errors.ts';
import { attention, broken, type Check, ok } from './check.ts';

/** What can be seen of an instance from its folder, on the server's own host. */
export async function checkInstance(home: string): Promise<Check[]> {
  let config: Config;
  try {
    config = await loadConfig(home);
  } catch (error) {
    return [asBroken('configuration', error)];
  }
  return [
    ok('configuration', `${config.home}`),
    await checkPrivate('key store', config.keystore),
    ...('file' in config.masterKey ? [await checkPrivate('master key', config.masterKey.file), apart(config)] : []),
    await checkPrivate('ledger', config.ledger),
    await attempt('policies', async () => `access policy ${(await checkRules(config)).digest.slice(0, 16)}`),
    await checkpointApart(config),
  ];
}

async function checkPrivate(name: string, path: string): Promise<Check> {
  try {
    const { mode } = await stat(path);
    const open = (mode & 0o077) !== 0;
    return open ? broken(name, `${path} is open to others`, `chmod 600 ${path}`) : ok(name, path);
  } catch {
    return broken(name, `${path} can't be read`, 'Put it back from a backup, or run as the user that owns it.');
  }
}

/** A backup of one folder must not hold both the store and what opens it. */
function apart(config: Config): Check {
  const master = 'file' in config.masterKey ? config.masterKey.file : '';
  if (!master.startsWith(config.home)) return ok('master key apart', dirname(master));
  return attention(
    'master key apart',
    'the master key lies inside the instance’s folder: one copy of it holds lock and key',
    'Move it to another disk: keyturn store rotate-master-key --new-key-file /elsewhere/master.key',
  );
}

async function checkpointApart(config: Config): Promise<Check> {
  if (!config.checkpoint.startsWith(config.home)) return ok('outside checkpoint', config.checkpoint);
  return attention(
    'outside checkpoint',
    'the checkpoint file lies inside the instance’s folder: whoever rewrites the log can rewrite it too',
    'Set checkpoint.path in keyturn.yaml to a path on another machine’s disk.',
  );
}

async function attempt(name: string, act: () => Promise<string>): Promise<Check> {
  try {
    return ok(name, await act());
  } catch (error) {
    return asBroken(name, error);
  }
}

/** A KeyturnError says itself what to do. */
export function asBroken(name: string, error: unknown): Check {
  if (error instanceof KeyturnError) return broken(name, `${error.message} [${error.code}]`, error.fix ?? '');
  return broken(name, 'an unexpected fault', 'Report it.');
}
