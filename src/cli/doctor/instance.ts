import { lstat } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { dirname, relative, sep } from 'node:path';
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
    ok('configuration', config.home),
    await checkPrivate('key store', config.keystore),
    ...('file' in config.masterKey ? [await checkPrivate('master key', config.masterKey.file), apart(config)] : []),
    await checkPrivate('ledger', config.ledger),
    await attempt('policies', async () => `access policy ${(await checkRules(config)).digest.slice(0, 16)}`),
    await checkSocket(config.socket),
    checkpointApart(config),
  ];
}

/** A file of its owner alone, in a folder of its owner alone. */
async function checkPrivate(name: string, path: string): Promise<Check> {
  for (const [place, mode] of [
    [dirname(path), '700'],
    [path, '600'],
  ] as const) {
    try {
      const found = await lstat(place);
      if (found.isSymbolicLink()) return broken(name, `${place} is a symbolic link`, 'Name the place itself.');
      if ((found.mode & 0o077) !== 0) return broken(name, `${place} is open to others`, `chmod ${mode} ${place}`);
      if (found.uid !== process.geteuid?.())
        return attention(name, `${place} is another user’s`, 'Run this as that user.');
    } catch {
      return broken(name, `${place} can't be read`, 'Put it back from a backup, or run as the user that owns it.');
    }
  }
  return ok(name, path);
}

/** Through it a freeze goes when the network or the token does not. */
async function checkSocket(path: string): Promise<Check> {
  const answers = await new Promise<boolean>((resolve) => {
    const probe = createConnection(path);
    probe.once('error', () => resolve(false));
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
  });
  if (answers) return ok('local socket', path);
  return broken('local socket', `no server answers on ${path}`, 'Start the server: keyturn server');
}

/** A backup of one folder must not hold both the store and what opens it. */
function apart(config: Config): Check {
  const master = 'file' in config.masterKey ? config.masterKey.file : '';
  if (!isInside(config.home, master)) return ok('master key apart', dirname(master));
  return attention(
    'master key apart',
    'the master key lies inside the instance’s folder: one copy of it holds lock and key',
    'Move it to another disk: keyturn store rotate-master-key --new-key-file /elsewhere/master.key',
  );
}

function checkpointApart(config: Config): Check {
  if (!isInside(config.home, config.checkpoint)) return ok('outside checkpoint', config.checkpoint);
  return attention(
    'outside checkpoint',
    'the checkpoint file lies inside the instance’s folder: whoever rewrites the log can rewrite it too',
    'Set checkpoint.path in keyturn.yaml to a path on another machine’s disk.',
  );
}

function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '..' && !way.startsWith(`..${sep}`);
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
