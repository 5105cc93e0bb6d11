import { attention, broken, type Check, ok } from '../../../core/check.ts';
import { KeyturnError } from '../../../core/errors.ts';
import { answerObject, numberAt, textAt } from '../client/answer.ts';
import { reasonOf, vaultError } from '../client/reason.ts';
import type { VaultLink } from '../connect.ts';
import { NOT_SERVING, notVault } from '../health.ts';
import type { Environment } from '../settings/environment.ts';
import type { VaultSettings } from '../settings/settings.ts';
import { pemPlace, sourceOf } from './settings.ts';

/** Greatest difference of clocks that goes without a word, seconds: signed logins and certificates hang on the clock. */
const CLOCK_TOLERANCE_SECONDS = 30;

/** Whether somebody answers who is Vault and serves. Asked without a token. */
export async function examineServer(
  { client, settings }: VaultLink,
  environment: Environment = process.env,
): Promise<Check[]> {
  const said = await client
    .probe({ method: 'GET', path: 'sys/health', outsideNamespace: true }, false)
    .catch((error: unknown) => {
      throw explained(error, settings, environment);
    });
  const why = NOT_SERVING[said.status];
  if (why !== undefined) return [broken('server', `${why.says} (${settings.address.value})`, why.fix)];
  const body = answerObject(said.octets);
  if (typeof body['initialized'] !== 'boolean') throw notVault(said.status);
  const version = /^[\w.+-]{1,40}$/.exec(textAt(body, 'version') ?? '')?.[0] ?? 'of unknown version';
  const role = said.status === 429 || said.status === 473 ? 'a standby, which passes requests on' : 'active, unsealed';
  return [ok('server', `${version}, ${role}`), ...clocks(numberAt(body, 'server_time_utc'))];
}

/** With what this host knows of it: which CA was believed, and who issued the certificate; a proxy that is not used. */
function explained(error: unknown, { address, tls }: VaultSettings, environment: Environment): unknown {
  const reason = reasonOf(error);
  if (!(error instanceof KeyturnError)) return error;
  const { message, fix = '' } = error;
  if (reason === 'tls' && fix.startsWith('Name the CA')) {
    const { hostname, port } = new URL(address.value);
    const shown = `openssl s_client -connect ${hostname}:${port === '' ? 443 : port} -showcerts </dev/null`;
    const believed = pemPlace(tls.ca);
    const told = believed === null ? '' : ` It is not of the CA in force, ${believed.value} (${sourceOf(believed)}).`;
    return vaultError('tls', `${message}${told}`, { fix: `${fix} What the server shows: ${shown}` });
  }
  const proxy = ['HTTPS_PROXY', 'https_proxy', 'ALL_PROXY'].find((name) => environment[name]);
  if (proxy === undefined || (reason !== 'unreachable' && reason !== 'timeout')) return error;
  return vaultError(reason, message, {
    fix: `${fix} ${proxy} is set, and Keyturn goes past it: Vault has to be reachable.`,
  });
}

function clocks(theirs: number | null): Check[] {
  const apart = theirs === null ? 0 : Math.round(theirs - Date.now() / 1000);
  if (Math.abs(apart) <= CLOCK_TOLERANCE_SECONDS) return [];
  return [attention('clocks', `${apart} s apart from the server`, 'Set both clocks by NTP: timedatectl set-ntp true')];
}
