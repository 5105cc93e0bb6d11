import { attention, broken, type Check, ok } from '../../../core/check.ts';
import { answerObject, numberAt, textAt } from '../client/answer.ts';
import type { VaultLink } from '../connect.ts';
import { NOT_SERVING, notVault } from '../health.ts';

/** Greatest difference of clocks that goes without a word, seconds: signed logins and certificates hang on the clock. */
const CLOCK_TOLERANCE_SECONDS = 30;

/** Whether somebody answers who is Vault and serves. Asked without a token. */
export async function examineServer({ client, settings }: VaultLink): Promise<Check[]> {
  const said = await client.probe({ method: 'GET', path: 'sys/health', outsideNamespace: true }, false);
  const why = NOT_SERVING[said.status];
  if (why !== undefined) return [broken('server', `${why.says} (${settings.address.value})`, why.fix)];
  const body = answerObject(said.octets);
  if (typeof body['initialized'] !== 'boolean') throw notVault(said.status);
  const version = /^[\w.+-]{1,40}$/.exec(textAt(body, 'version') ?? '')?.[0] ?? 'of unknown version';
  const role = said.status === 429 || said.status === 473 ? 'a standby, which passes requests on' : 'active, unsealed';
  return [ok('server', `${version}, ${role}`), ...clocks(numberAt(body, 'server_time_utc'))];
}

function clocks(theirs: number | null): Check[] {
  const apart = theirs === null ? 0 : Math.round(theirs - Date.now() / 1000);
  if (Math.abs(apart) <= CLOCK_TOLERANCE_SECONDS) return [];
  return [attention('clocks', `${apart} s apart from the server`, 'Set both clocks by NTP: timedatectl set-ntp true')];
}
