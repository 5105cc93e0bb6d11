import { isKeyturnError, KeyturnError } from '../../core/errors.ts';
import type { SecretBytes } from '../../core/secret-bytes.ts';
import type { Wanted } from '../../keystore/cache/key-cache.ts';
import type { KeyStore } from '../../keystore/keystore.ts';
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

/** What a lease lends, read before it is recorded, so that none is recorded of a key that can't be had. */
export interface Material extends Disposable {
  /** For use at once, and not to be kept: they may be wiped at the end of this turn of the event loop. */
  secrets(): readonly NamedSecret[];
}

/**
 * A version's key and its credential's companions, read from their stores. The caller disposes of them all.
 * @throws KeyturnError `keystore_unavailable`, `keystore_corrupt` (also for a record that is gone).
 */
export async function readMaterial(
  desk: Desk,
  version: VersionRow | null,
  companions: readonly CompanionRow[],
): Promise<Material> {
  const rows = version === null ? companions : [version, ...companions];
  const names = companions.map(({ name }) => companionSecretName(name));
  if (version !== null) names.unshift(KEY_NAME);
  const wanted = rows.map((row) => ({ store: storeOf(desk, row), record: row.record }));
  const kept = desk.keys.kept(wanted);
  if (kept !== null) return { secrets: () => named(names, kept.opened()), [Symbol.dispose]: () => undefined };
  const octets = await readEach(desk, rows, wanted);
  return {
    secrets: () => named(names, octets),
    [Symbol.dispose]: () => {
      for (const each of octets) each.dispose();
    },
  };
}

function named(names: readonly string[], octets: readonly SecretBytes[]): NamedSecret[] {
  return octets.map((each, at) => ({ name: names[at] ?? '', octets: each }));
}

async function readEach(
  desk: Desk,
  rows: readonly (VersionRow | CompanionRow)[],
  wanted: readonly Wanted[],
): Promise<SecretBytes[]> {
  const octets: SecretBytes[] = [];
  try {
    for (const [at, row] of rows.entries()) octets.push(await readRecord(desk, row, wanted[at]!));
    desk.keys.keepTogether(wanted, octets);
    return octets;
  } catch (error) {
    for (const each of octets) each.dispose();
    throw error;
  }
}

function storeOf(desk: Desk, row: VersionRow | CompanionRow): KeyStore {
  const store = desk.stores.get(row.store);
  if (store !== undefined) return store;
  throw new KeyturnError('keystore_unavailable', `This server has no key store named ${row.store}.`, {
    fix: 'Add the store to the configuration of this server.',
  });
}

async function readRecord(desk: Desk, row: VersionRow | CompanionRow, { store, record }: Wanted): Promise<SecretBytes> {
  try {
    return await desk.keys.read(store, record);
  } catch (error) {
    if (!isKeyturnError(error, 'not_found')) throw error;
    if (await hasMoved(desk, row)) throw refused('record-moved');
    throw lost(store, record);
  }
}

/** What the ledger counts on, and the store certainly has not: nobody of ours took it away, and no caller asked amiss. */
function lost(store: KeyStore, record: string): KeyturnError {
  const message = `The key store ${store.name} has lost ${record}: it was deleted there, and not by Keyturn.`;
  return new KeyturnError('keystore_corrupt', message, {
    fix: 'Bring it back there (bao kv undelete, aws secretsmanager restore-secret, a backup), or replace the version.',
  });
}

/** Whether it went to another store, and its old copy was destroyed, after its row was read. */
async function hasMoved(desk: Desk, row: VersionRow | CompanionRow): Promise<boolean> {
  const { store } = (await ownerOf(desk, row.record)).row;
  return store !== row.store;
}
