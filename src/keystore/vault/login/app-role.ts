import { answerObject, objectAt, textAt } from '../client/answer.ts';
import { reasonOf, vaultError } from '../client/reason.ts';
import { loginAt } from './grant.ts';
import type { LoginClient, LoginMethod } from './method.ts';
import { OpenedSecretIds } from './opened-secret-ids.ts';
import { readSecretLine } from './secret-file.ts';

export interface AppRoleOptions {
  /** Under `auth/`. Default: `approle`. */
  readonly mount?: string;
  readonly roleId: string;
  readonly secretIdFile: string;
  /** The file holds a wrapping token, good for one opening, instead of the secret ID. Default: false. */
  readonly wrapped?: boolean;
}

/** Of this process: a store and an issuer may be given the same file. */
const opened = new OpenedSecretIds();

/**
 * AppRole. A wrapped secret ID is opened at the first login and kept in memory until another is delivered, and for the other
 * connections of this process that are given the same one; its wrapping token is first checked to come from a secret
 * ID's creation, so that nobody slips in another one's.
 * @param server tells the secret IDs of one server from those of another.
 */
export function appRoleLogin(options: AppRoleOptions, server: string): LoginMethod {
  const { mount = 'approle', roleId, secretIdFile, wrapped = false } = options;
  const description = `approle at auth/${mount}`;
  const secretId = async (client: LoginClient): Promise<string> => {
    const line = await readSecretLine(secretIdFile, wrapped ? 'a wrapping token' : 'a secret ID');
    if (!wrapped) return line;
    return opened.of(`${server} ${mount}`, secretIdFile, line, () => unwrap(client, line, mount));
  };
  const fix = `Compare role-id and policies with bao read auth/${mount}/role/ROLE; for a new secret ID: ${newSecretId(options)}`;
  return {
    description,
    fix,
    repeatable: true,
    renews: true,
    login: async (client) =>
      loginAt(client, mount, { role_id: roleId, secret_id: await secretId(client) }, { description, fix }),
  };
}

/** The command that puts a new one into its file. */
export function newSecretId({ mount = 'approle', secretIdFile, wrapped = false }: AppRoleOptions): string {
  const field = wrapped ? '-wrap-ttl=5m -f -field=wrapping_token' : '-f -field=secret_id';
  return `bao write ${field} auth/${mount}/role/ROLE/secret-id > ${secretIdFile}`;
}

async function unwrap(client: LoginClient, wrappingToken: string, mount: string): Promise<string> {
  try {
    const looked = await client.post('sys/wrapping/lookup', { token: wrappingToken });
    const path = textAt(objectAt(answerObject(looked.octets), 'data'), 'creation_path') ?? '';
    if (!path.startsWith(`auth/${mount}/role/`) || !path.endsWith('/secret-id')) throw notOurs();
    const answer = await client.post('sys/wrapping/unwrap', {}, wrappingToken);
    const secretId = textAt(objectAt(answerObject(answer.octets), 'data'), 'secret_id');
    answer.octets.fill(0);
    if (secretId === null) throw notOurs();
    return secretId;
  } catch (error) {
    if (reasonOf(error) !== 'forbidden' && reasonOf(error) !== 'bad_request') throw error;
    throw notOurs();
  }
}

function notOurs() {
  return vaultError('login', 'The wrapped secret ID can not be opened: it expired, or somebody has opened it before.', {
    fix: 'Find out who opened it, destroy that secret ID, and deliver a new one.',
  });
}
