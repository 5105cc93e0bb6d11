import { KeyturnError } from '../../../core/errors.ts';
import { ForeignSecret } from '../../foreign/foreign-secret.ts';
import { type Member, membersOf } from '../../foreign/json-octets.ts';
import { isPlainPath, ownRecord } from '../../foreign/reading.ts';
import type { VaultClient } from '../client/client.ts';
import { reasonOf, vaultError } from '../client/reason.ts';
import { explainDenial } from '../denial.ts';
import type { KvPath } from './path.ts';
import { notVersioned } from './record-body.ts';

/** `MOUNT/data/NAME`, as the API of a KV version 2 engine spells a secret. */
const KV_PATH = /^[^/]+(?:\/[^/]+)*?\/data\/[^/]+(?:\/[^/]+)*$/;

/** The newest version of a secret that others keep in a KV version 2 engine of this server. */
export async function readForeignKv(
  link: { readonly client: VaultClient; readonly login: string },
  own: KvPath,
  path: string,
): Promise<ForeignSecret> {
  if (!isPlainPath(path) || !KV_PATH.test(path)) {
    throw new KeyturnError('invalid_input', 'That is not a path of KV version 2.', {
      fix: 'Give it as the API has it: MOUNT/data/NAME, e.g. secret/data/teams/pay/lean (bao kv get shows it as "Secret Path").',
    });
  }
  if (path.startsWith(`${own.mount}/data/${own.prefix}/`)) throw ownRecord(path);
  const answer = await ask(link, path);
  try {
    if (answer.status !== 200) throw absent(answer.status, path);
    return secretIn(answer.octets, path);
  } finally {
    answer.octets.fill(0);
  }
}

async function ask({ client, login }: { readonly client: VaultClient; readonly login: string }, path: string) {
  try {
    return await client.ask({ method: 'GET', path });
  } catch (error) {
    if (reasonOf(error) !== 'forbidden') throw error;
    throw await explainDenial(client, { path, capability: 'read', verb: 'adopt' }, login);
  }
}

/** `{"data": {"data": FIELDS, "metadata": {"version": NUMBER, …}}, …}` */
function secretIn(octets: Buffer, path: string): ForeignSecret {
  const data = objectUnder(octets, membersOf(octets), 'data');
  const metadata = objectUnder(octets, data, 'metadata');
  const version = metadata?.get('version');
  const fields = data?.get('data');
  if (version?.kind !== 'other' || fields?.kind !== 'object') throw notVersioned(path);
  const secret = ForeignSecret.ofObject(path, octets.toString('latin1', version.from, version.to), octets, fields);
  if (secret !== null) return secret;
  throw vaultError('not_vault', `What answered ${path} does not speak as Vault does.`, {
    fix: 'Check the address; a proxy or another service may stand there.',
  });
}

function objectUnder(octets: Buffer, members: Map<string, Member> | null, name: string): Map<string, Member> | null {
  const member = members?.get(name);
  return member?.kind === 'object' ? membersOf(octets, member.from, member.to) : null;
}

function absent(status: number, path: string): KeyturnError {
  if (status === 400) return vaultError('bad_request', `Vault did not understand the reading of ${path}.`);
  return new KeyturnError('not_found', `Vault has nothing at ${path}, or it was deleted.`, {
    fix: 'Check the path: bao kv list shows names; a path of the API has /data/ behind the mount.',
  });
}
