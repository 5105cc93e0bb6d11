import { KeyturnError } from '../../../core/errors.ts';
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
    if (!wrapped) return refuseWrapping(await readSecretLine(secretIdFile, 'a secret ID'), secretIdFile);
    const line = await wrappingTokenOf(options);
    return opened.of(`${server} ${mount}`, secretIdFile, line, () => unwrap(client, line, mount));
  };
  const fix = `Of the roles that bao list auth/${mount}/role names, compare bao read auth/${mount}/role/ROLE/role-id; for a new secret ID: ${newSecretId(options)}`;
  return {
    description,
    fix,
    repeatable: true,
    renews: true,
    login: async (client) =>
      loginAt(
        client,
        mount,
        { role_id: roleId, secret_id: await secretId(client) },
        { description, fix, explain: unknown },
      ),
  };
}

/** In the words of Vault and OpenBao alike. */
function unknown(errors: string): string | null {
  if (!/invalid role(?:_id)? or secret ID|invalid role ID|invalid secret id/i.test(errors)) return null;
  return 'Vault knows no such secret ID for this role-id: one of them is wrong, or the secret ID ended, was used up or destroyed.';
}

/** As Vault makes a secret ID, unless somebody chose it; no wrapping token looks so. */
const IS_UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** @throws KeyturnError `config_invalid`, which quotes nothing of the file. */
export async function wrappingTokenOf(options: AppRoleOptions): Promise<string> {
  const line = await readSecretLine(options.secretIdFile, 'a wrapping token');
  if (!IS_UUID.test(line)) return line;
  throw new KeyturnError('config_invalid', `${options.secretIdFile} holds a secret ID, not a wrapping token.`, {
    fix: `Take wrapped out of login, or have a wrapped one made: ${newSecretId(options)}`,
  });
}

/** A token as Vault and OpenBao make them: nobody chooses such a secret ID. */
function refuseWrapping(line: string, file: string): string {
  if (!/^(?:hvs|s)\.[A-Za-z0-9_-]{20,}$/.test(line)) return line;
  throw new KeyturnError('config_invalid', `${file} holds a wrapping token, not a secret ID.`, {
    fix: 'Write wrapped: true beside secret-id-file, and deliver a new one for each start of the server.',
  });
}

/** The command that puts a new one into its file, which its owner alone can read. */
export function newSecretId({ mount = 'approle', secretIdFile, wrapped = false }: AppRoleOptions): string {
  const field = wrapped ? '-wrap-ttl=5m -f -field=wrapping_token' : '-f -field=secret_id';
  return `(umask 077; bao write ${field} auth/${mount}/role/ROLE/secret-id > ${secretIdFile})`;
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
