import { answerObject, objectAt, textAt } from '../client/answer.ts';
import type { VaultClient } from '../client/client.ts';
import type { KvPath } from './path.ts';
import { notVersioned } from './record-body.ts';

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
  if (type !== 'kv' || textAt(objectAt(data, 'options'), 'version') !== '2') throw notVersioned(paths.mount);
}
