import { brokenBy, type Check, ok, type Step, untilBroken } from '../../../core/check.ts';
import { connectVault, type VaultLink } from '../connect.ts';
import { KvPath } from '../kv/path.ts';
import type { VaultConnection, VaultStoreOptions } from '../options.ts';
import { variable } from '../settings/environment.ts';
import { type TransitMasterKeyOptions, transitMasterKey } from '../transit.ts';
import { examineLogin } from './login.ts';
import { examineMount, examinePolicy } from './mount.ts';
import { examineSecretFiles } from './secret-files.ts';
import { examineServer } from './server.ts';
import { examineSettings } from './settings.ts';
import { examineWrapped } from './wrapped.ts';

/**
 * For doctor: everything that stands between this process and a working store, from the settings to the policy, to
 * the first thing that is broken. Writes nothing but what a login leaves behind: a token, which ends by itself.
 */
export function examineVault(options: VaultStoreOptions): Promise<Check[]> {
  return throughLink(options, (link) => {
    const paths = new KvPath(options.mount ?? 'secret', options.prefix ?? 'keyturn');
    return [
      ['login', () => examineLogin(link, [paths.folder('')], isHomeToken(options))],
      ['mount', () => examineMount(link, paths)],
      ['policy', () => examinePolicy(link, paths)],
    ];
  });
}

/** The same for a wrapped master key, which is really unwrapped, and wiped. */
export function examineTransit(options: TransitMasterKeyOptions): Promise<Check[]> {
  return throughLink(options, (link) => [
    ['login', () => examineLogin(link, null)],
    [
      'unwrapping',
      async () => {
        const master = transitMasterKey(options);
        (await master.read()).dispose();
        return [ok('unwrapping', master.description)];
      },
    ],
  ]);
}

/** What "bao login" left at home, where neither configuration nor variable says how to log in. */
function isHomeToken({ login, environment = process.env }: VaultConnection): boolean {
  return login === undefined && variable(environment, 'TOKEN') === null;
}

/** Commands as they have to be for the namespace; those of the whole server have none. */
function inNamespace(fix: string, namespace: string | undefined): string {
  if (namespace === undefined || !/^[\w./-]+$/.test(namespace)) return fix;
  return fix.replace(
    /\bbao ((?:secrets|kv|policy|token|auth) [a-z-]+|write|read)\b/g,
    (_, command) => `bao ${command} -namespace=${namespace}`,
  );
}

/** Whether logging in would use up what the server needs for it. Then doctor knows nothing of what comes behind. */
export function opensOnce({ login }: VaultConnection): boolean {
  return login?.method === 'approle' && login.wrapped === true;
}

function wrappedStep({ login }: VaultConnection, link: VaultLink): Step {
  return ['login', async () => (login?.method === 'approle' ? examineWrapped(link, login) : [])];
}

async function throughLink(options: VaultConnection, steps: (link: VaultLink) => readonly Step[]): Promise<Check[]> {
  let link: VaultLink;
  try {
    link = connectVault(options);
  } catch (error) {
    return [brokenBy('settings', error)];
  }
  try {
    const found = await untilBroken([
      ['settings', async () => [...examineSettings(options, link.settings), ...(await examineSecretFiles(options))]],
      ['server', () => examineServer(link)],
      ...(opensOnce(options) ? [wrappedStep(options, link)] : steps(link)),
    ]);
    return found.map((check) => ({ ...check, fix: inNamespace(check.fix, link.settings.namespace?.value) }));
  } catch (error) {
    return [brokenBy('settings', error)];
  } finally {
    link.close();
  }
}
