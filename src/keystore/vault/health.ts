import { KeyturnError } from '../../core/errors.ts';
import type { KeyStoreHealth } from '../driver.ts';
import { answerObject } from './client/answer.ts';
import type { VaultClient } from './client/client.ts';
import { vaultError } from './client/reason.ts';
import { throwRefusal } from './client/refusal.ts';
import { explainDenial } from './denial.ts';
import { checkMount } from './kv/mount.ts';
import type { KvPath } from './kv/path.ts';

/** What sys/health says by its status (openbao.org/api-docs/system/health); 429 and 473 forward what they are asked. */
export const NOT_SERVING: Readonly<Record<number, { readonly says: string; readonly fix: string }>> = {
  472: {
    says: 'Vault is a disaster-recovery secondary, which serves nothing',
    fix: 'Point the address to the primary.',
  },
  474: { says: 'Vault is a standby that has lost its active node', fix: 'See its peers: bao operator raft list-peers' },
  501: { says: 'Vault is not initialised', fix: 'Run: bao operator init' },
  503: { says: 'Vault is sealed', fix: 'Run: bao operator unseal' },
  530: { says: 'Vault was removed from its cluster', fix: 'Point the address to a node of the cluster.' },
};

/**
 * Whether the server serves, the mount is there, and the token may list it. Each question waits as long as an attempt of a
 * verb does: a server that is slow and works is ready. Never throws.
 */
export async function vaultHealth(client: VaultClient, paths: KvPath, login: string): Promise<KeyStoreHealth> {
  try {
    return await asked(client, paths, login);
  } catch (error) {
    if (!(error instanceof KeyturnError)) return notReady('Vault failed without saying why.');
    return notReady(error.fix === undefined ? error.message : `${error.message} ${error.fix}`);
  }
}

async function asked(client: VaultClient, paths: KvPath, login: string): Promise<KeyStoreHealth> {
  const said = await client.probe({ method: 'GET', path: 'sys/health', outsideNamespace: true }, false);
  const why = NOT_SERVING[said.status];
  if (why !== undefined) return notReady(`${why.says}. ${why.fix}`);
  if (typeof answerObject(said.octets)['initialized'] !== 'boolean') throw notVault(said.status);
  const path = paths.folder('');
  const [answer] = await Promise.all([client.probe({ method: 'LIST', path }, true), checkMount(client, paths)]);
  if (answer.status === 403)
    throw await explainDenial(client, { path, grant: `${path}*`, capability: 'list', verb: 'list' }, login);
  throwRefusal(answer, path);
  if (answer.status === 400) throw vaultError('bad_request', `Vault does not understand the list of ${path}.`);
  return { ready: true, detail: '' };
}

export function notVault(status: number) {
  return vaultError('not_vault', `What answered does not say how it is, as Vault does (HTTP ${status}).`, {
    status,
    fix: 'Check the address; a proxy or another service may stand there.',
  });
}

function notReady(detail: string): KeyStoreHealth {
  return { ready: false, detail };
}
