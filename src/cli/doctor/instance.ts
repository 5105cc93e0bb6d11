import { createConnection } from 'node:net';
import { dirname, relative, sep } from 'node:path';
import { type Config, loadConfig } from '../../compose/config.ts';
import { checkRules, unknownIssuerText } from '../../compose/upkeep/check-rules.ts';
import { examineIssuers } from '../../compose/upkeep/examine/issuers.ts';
import { examineLedger } from '../../compose/upkeep/examine/ledger.ts';
import { examineNotify } from '../../compose/upkeep/examine/notify.ts';
import { type Examination, examineStores } from '../../compose/upkeep/examine/stores.ts';
import { attention, broken, brokenBy, type Check, ok } from '../../core/check.ts';

/** What can be seen of an instance from its folder, on the server's own host. */
export async function checkInstance(home: string, examination: Examination): Promise<Check[]> {
  let config: Config;
  try {
    config = await loadConfig(home);
  } catch (error) {
    return [brokenBy('configuration', error)];
  }
  return [
    ok('configuration', config.home),
    ...(await examineStores(config, examination)),
    ...(await examineIssuers(config)),
    ...(await examineNotify(config)),
    ...('file' in config.masterKey ? [apart(config)] : []),
    ...(await examineLedger(config)),
    ...(await checkPolicies(config)),
    await checkSocket(config.socket),
    checkpointApart(config),
  ];
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

async function checkPolicies(config: Config): Promise<Check[]> {
  try {
    const { digest, unknownIssuers } = await checkRules(config);
    const fix = 'Add it under issuers in keyturn.yaml, or correct the profile.';
    return [
      ok('policies', `access policy ${digest.slice(0, 16)}`),
      ...unknownIssuers.map((unknown) => attention('issuers of profiles', unknownIssuerText(unknown), fix)),
    ];
  } catch (error) {
    return [brokenBy('policies', error)];
  }
}
