import { attention, type Check, ok } from '../../../core/check.ts';
import { answerObject, numberAt, objectAt, textAt } from '../client/answer.ts';
import { throwRefusal } from '../client/refusal.ts';
import type { VaultLink } from '../connect.ts';
import { type AppRoleOptions, newSecretId, wrappingTokenOf } from '../login/app-role.ts';

const LOOKUP = 'sys/wrapping/lookup';

/**
 * A wrapped secret ID can be opened once, and that is the server's to do: it is looked at and left as it is.
 * @throws KeyturnError as reading the file and asking the server do.
 */
export async function examineWrapped({ client, login }: VaultLink, options: AppRoleOptions): Promise<Check[]> {
  const { secretIdFile } = options;
  const token = await wrappingTokenOf(options);
  const answer = await client.probe({ method: 'POST', path: LOOKUP, body: { token } }, false);
  if (answer.status === 400 || answer.status === 403) {
    const evidence = `${login}; the secret ID in ${secretIdFile} was opened or expired, and can’t be opened again`;
    const fix = `Well, if this server opened it; for its next start: ${newSecretId(options)}. Else destroy that secret ID.`;
    return [attention('login', evidence, fix)];
  }
  throwRefusal(answer, LOOKUP);
  const data = objectAt(answerObject(answer.octets), 'data');
  const made = Date.parse(textAt(data, 'creation_time') ?? '');
  const life = numberAt(data, 'creation_ttl') ?? 0;
  const left = Number.isNaN(made) ? life : Math.max(0, Math.round(life - (Date.now() - made) / 1000));
  const evidence = `${login}; the secret ID in ${secretIdFile} is left unopened, since that can be done once: ${left} s left`;
  return [ok('login', `${evidence}. Mount and policy show when the server has logged in`)];
}
