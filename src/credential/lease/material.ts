import { isKeyturnError, KeyturnError } from '../../core/errors.ts';
import type { SecretBytes } from '../../core/secret-bytes.ts';
import type { CompanionRow, VersionRow } from '../../ledger/tables.ts';
import type { NamedSecret } from '../../sealed/answer.ts';
import type { Desk } from '../desk.ts';
import { refused } from '../refusal.ts';
import { ownerOf } from '../store/owner.ts';

/** Names of the sealed secrets; the client looks them up by these. */
export const KEY_NAME = 'key';
export function companionSecretName(companion: string): string {
  return `companion/${companion}`;
}

/**
 * A version's key and its credential's companions, read from their stores. The caller disposes of them all.
 * @throws KeyturnError `keystore_unavailable`, `keystore_corrupt`, `not_found` if a record is gone.
 */
export async function readMaterial(
  desk: Desk,
  version: VersionRow | null,
  companions: readonly CompanionRow[],
): Promise<NamedSecret[]> {
  const secrets: NamedSecret[] = [];
  try {
    if (version !== null) secrets.push({ name: KEY_NAME, octets: await readRecord(desk, version) });
    for (const companion of companions) {
      secrets.push({ name: companionSecretName(companion.name), octets: await readRecord(desk, companion) });
    }
    return secrets;
  } catch (error) {
    disposeAll(secrets);
    throw error;
  }
}

async function readRecord(desk: Desk, row: VersionRow | CompanionRow): Promise<SecretBytes> {
  const store = desk.stores.get(row.store);
  if (store === undefined) {
    throw new KeyturnError('keystore_unavailable', `This server has no key store named ${row.store}.`, {
      fix: 'Add the store to the configuration of this server.',
    });
  }
  try {
    return await desk.keys.read(store, row.record);
  } catch (error) {
    if (isKeyturnError(error, 'not_found') && (await hasMoved(desk, row))) throw refused('record-moved');
    throw error;
  }
}

/** Whether it went to another store, and its old copy was destroyed, after its row was read. */
async function hasMoved(desk: Desk, row: VersionRow | CompanionRow): Promise<boolean> {
  const { store } = (await ownerOf(desk, row.record)).row;
  return store !== row.store;
}

export function disposeAll(secrets: readonly NamedSecret[]): void {
  for (const { octets } of secrets) octets.dispose();
}
