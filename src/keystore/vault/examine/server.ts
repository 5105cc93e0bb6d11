import { attention, broken, type Check, ok } from '../../../core/check.ts';
import { KeyturnError } from '../../../core/errors.ts';
import { answerObject, numberAt, textAt } from '../client/answer.ts';
import { reasonOf } from '../client/reason.ts';
import type { VaultLink } from '../connect.ts';
import { NOT_SERVING, notVault } from '../health.ts';
import type { VaultSettings } from '../settings/settings.ts';
import { pemPlace, sourceOf } from './settings.ts';

/** Greatest difference of clocks that goes without a word, seconds: signed logins and certificates hang on the clock. */
const CLOCK_TOLERANCE_SECONDS = 30;

/** Whether somebody answers who is Vault and serves. Asked without a token. */
export async function examineServer({ client, settings }: VaultLink): Promise<Check[]> {
  const said = await client
    .probe({ method: 'GET', path: 'sys/health', outsideNamespace: true }, false)
    .catch((error: unknown) => {
      throw explained(error, settings);
    });
  const why = NOT_SERVING[said.status];
  if (why !== undefined) return [broken('server', `${why.says} (${settings.address.value})`, why.fix)];
  const body = answerObject(said.octets);
  if (typeof body['initialized'] !== 'boolean') throw notVault(said.status);
  const version = /^[\w.+-]{1,40}$/.exec(textAt(body, 'version') ?? '')?.[0] ?? 'of unknown version';
  const role = said.status === 429 || said.status === 473 ? 'a standby, which passes requests on' : 'active, unsealed';
  return [ok('server', `${version}, ${role}`), ...clocks(numberAt(body, 'server_time_utc'))];
}

/** With what this host knows of it: which CA was believed, and who issued the certificate. */
function explained(error: unknown, { address, tls, egress }: VaultSettings): unknown {
  if (!(error instanceof KeyturnError) || reasonOf(error) !== 'tls') return error;
  const { message, fix = '', facts } = error;
  if (!fix.startsWith('Name the CA')) return error;
  const { hostname, port } = new URL(address.value);
  const proxy = egress.proxyTo(new URL(address.value));
  const through = proxy === null ? '' : ` -proxy ${proxy.host}:${proxy.port}`;
  const shown = `openssl s_client${through} -connect ${hostname}:${port === '' ? 443 : port} -showcerts </dev/null`;
  const believed = pemPlace(tls.ca);
  const told = believed === null ? '' : ` It is not of the CA in force, ${believed.value} (${sourceOf(believed)}).`;
  const inspected =
    proxy === null
      ? ''
      : ' A proxy that shows a certificate of its own reads the token: have it let Vault through unread.';
  return new KeyturnError('keystore_unavailable', `${message}${told}`, {
    fix: `${fix} What the server shows: ${shown}${inspected}`,
    facts,
  });
}

function clocks(theirs: number | null): Check[] {
  const apart = theirs === null ? 0 : Math.round(theirs - Date.now() / 1000);
  if (Math.abs(apart) <= CLOCK_TOLERANCE_SECONDS) return [];
  return [attention('clocks', `${apart} s apart from the server`, 'Set both clocks by NTP: timedatectl set-ntp true')];
}
