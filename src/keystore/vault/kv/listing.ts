import { isKeyturnError } from '../../../core/errors.ts';
import { type RecordName, recordName } from '../../record-name.ts';
import { answerObject, objectAt, textsAt } from '../client/answer.ts';
import type { VaultClient } from '../client/client.ts';
import { vaultError } from '../client/reason.ts';
import type { KvPath } from './path.ts';

/** Folders asked for at the same time. */
const WIDTH = 4;
/** A record's name has at most eight segments. */
const MAX_DEPTH = 7;

/** Every record below the prefix. Names that are no record's are somebody else's, and left out. */
export async function listRecords(client: VaultClient, paths: KvPath): Promise<RecordName[]> {
  const found: RecordName[] = [];
  let folders = [''];
  for (let depth = 0; depth <= MAX_DEPTH && folders.length > 0; depth += 1) {
    const below: string[] = [];
    for (let at = 0; at < folders.length; at += WIDTH) {
      const group = folders.slice(at, at + WIDTH);
      const names = await Promise.all(group.map((folder) => namesIn(client, paths, folder)));
      for (const name of names.flat()) {
        if (name.endsWith('/')) below.push(name);
        else if (isRecordName(name)) found.push(name);
      }
    }
    folders = below.filter((folder) => isRecordName(`${folder}x/x`) || isRecordName(`${folder}x`));
  }
  return found;
}

async function namesIn(client: VaultClient, paths: KvPath, folder: string): Promise<string[]> {
  const path = paths.folder(folder);
  const answer = await client.ask({ method: 'LIST', path });
  if (answer.status === 404) return [];
  const keys = answer.status === 200 ? textsAt(objectAt(answerObject(answer.octets), 'data'), 'keys') : null;
  if (keys === null) {
    throw vaultError('not_vault', `What answered the list of ${path} does not speak as Vault does.`, {
      status: answer.status,
      fix: 'Check the address; a proxy or another service may stand there.',
    });
  }
  return keys.map((key) => `${folder}${key}`);
}

function isRecordName(text: string): boolean {
  try {
    return recordName(text) === text;
  } catch (error) {
    if (isKeyturnError(error, 'invalid_input')) return false;
    throw error;
  }
}
