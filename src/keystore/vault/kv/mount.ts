import { answerObject, objectAt, textAt } from '../client/answer.ts';
import type { VaultClient } from '../client/client.ts';
import { vaultError } from '../client/reason.ts';
import type { KvPath } from './path.ts';

/**
 * Version 1 of KV, or another engine, would take a record at the same path and keep it otherwise. The server tells
 * every token that may do anything at the mount what is mounted there; when it does not tell, nothing is concluded.
 * @throws KeyturnError `keystore_unavailable` (`no_mount`) when it certainly is no KV version 2.
 */
export async function checkMount(client: VaultClient, paths: KvPath): Promise<void> {
  const answer = await client.probe({ method: 'GET', path: `sys/internal/ui/mounts/${paths.mount}` }, true);
  if (answer.status !== 200) return;
  const data = objectAt(answerObject(answer.octets), 'data');
  const type = textAt(data, 'type');
  if (type === null) return;
  if (type !== 'kv') throw otherEngine(paths.mount, type);
  if (textAt(objectAt(data, 'options'), 'version') !== '2') throw firstVersion(paths.mount);
}

function firstVersion(mount: string) {
  return vaultError('no_mount', `What is mounted at ${mount}/ is not KV version 2, but version 1.`, {
    fix: `Name another mount, or, where whoever uses it as version 1 follows: bao kv enable-versioning ${mount}`,
  });
}

/** `type`: the server's own word for it. */
function otherEngine(mount: string, type: string) {
  const kind = /^[a-z0-9-]{1,40}$/.test(type) ? `of the kind ${type}` : 'of another kind';
  return vaultError('no_mount', `${mount}/ is an engine ${kind}, not KV version 2.`, {
    fix: 'Run: bao secrets enable -path=keyturn -version=2 kv, and name it: mount: keyturn',
  });
}
