import { KeyturnError } from '../../core/errors.ts';
import type { SecretBytes } from '../../core/secret-bytes.ts';
import type { KeyStore } from '../../keystore/keystore.ts';
import type { Check, Write } from '../../ledger/change.ts';
import { everyRow } from '../../ledger/pages.ts';
import type { CompanionRow, VersionRow, VersionState } from '../../ledger/tables.ts';
import { spkiOfPkcs8 } from '../../x509/private-key.ts';
import type { Desk } from '../desk.ts';

/** The row that says in which store a record lies: a version for its private key, a companion for its value. */
export type Owner =
  | { readonly table: 'versions'; readonly row: VersionRow }
  | { readonly table: 'companions'; readonly row: CompanionRow };

/** States of a version whose key lies in a store, whole and known. */
const KEPT_VERSIONS: readonly VersionState[] = ['staged', 'current', 'previous', 'retired', 'compromised'];
const KEPT_COMPANIONS: readonly CompanionRow['state'][] = ['current', 'superseded'];

/** Whether the owner's record is certainly in its store: neither unsettled, nor quarantined, nor gone. */
export function isKept(owner: Owner): boolean {
  return owner.table === 'versions'
    ? KEPT_VERSIONS.includes(owner.row.state)
    : KEPT_COMPANIONS.includes(owner.row.state);
}

/** @throws KeyturnError `not_found` when no row names this record. */
export async function ownerOf(desk: Desk, record: string): Promise<Owner> {
  const [version] = await desk.ledger.find('versions', { record });
  if (version !== undefined) return { table: 'versions', row: version };
  const [companion] = await desk.ledger.find('companions', { record });
  if (companion !== undefined) return { table: 'companions', row: companion };
  throw new KeyturnError('not_found', 'No version and no companion has a record of that name.', {
    fix: 'See what would move: keyturn store migrate --from STORE --to STORE --dry-run',
  });
}

/** Every owner whose record lies in `store`, in order of its record's name. */
export async function ownersIn(desk: Desk, store: string): Promise<Owner[]> {
  const versions = await everyRow(desk.ledger, 'versions', { store }, 'credential');
  const companions = await everyRow(desk.ledger, 'companions', { store }, 'credential');
  const owners: Owner[] = [
    ...versions.map((row) => ({ table: 'versions', row }) as const),
    ...companions.map((row) => ({ table: 'companions', row }) as const),
  ];
  return owners.sort((a, b) => (a.row.record < b.row.record ? -1 : 1));
}

/** Holds as long as the record lies in `store` and is kept. */
export function keptIn(owner: Owner, store: string): Check {
  const rule = 'record-moved';
  if (owner.table === 'versions') {
    const { credential, version } = owner.row;
    return { rule, table: 'versions', some: { credential, version, store, state: { in: KEPT_VERSIONS } } };
  }
  const { credential, name, generation } = owner.row;
  return { rule, table: 'companions', some: { credential, name, generation, store, state: { in: KEPT_COMPANIONS } } };
}

/** Nothing that counts names this record in that store: it is a copy that nobody reads any more. */
export function unnamedIn(record: string, store: string): Check[] {
  const rule = 'record-in-use';
  return [
    { rule, table: 'versions', none: { record, store } },
    { rule, table: 'companions', none: { record, store } },
  ];
}

export function putInto(owner: Owner, store: string): Write {
  if (owner.table === 'versions') {
    const { credential, version } = owner.row;
    return { update: 'versions', where: { credential, version }, set: { store }, rows: 1 };
  }
  const { credential, name, generation } = owner.row;
  return { update: 'companions', where: { credential, name, generation }, set: { store }, rows: 1 };
}

/** What entries say of an owner: public facts. */
export function ownerFacts(owner: Owner) {
  return owner.table === 'versions'
    ? { credential: owner.row.credential, version: owner.row.version, data: { spki: owner.row.spki } }
    : { credential: owner.row.credential, data: { name: owner.row.name, generation: owner.row.generation } };
}

/**
 * Whether these octets are the owner's. A companion has no fingerprint; its value is compared with the one that lies
 * where the row says.
 */
export function isOf(owner: Owner, octets: SecretBytes, original: SecretBytes): boolean {
  return owner.table === 'versions' ? spkiOf(octets) === owner.row.spki : octets.equals(original);
}

/** @throws KeyturnError `keystore_corrupt` when what was read is not what its owner says. */
export function assertSound(owner: Owner, octets: SecretBytes, store: KeyStore): void {
  const sound = owner.table === 'versions' ? spkiOf(octets) === owner.row.spki : octets.length === owner.row.length;
  if (sound) return;
  throw new KeyturnError('keystore_corrupt', `${owner.row.record} in ${store.name} is not what the ledger recorded.`, {
    fix: 'Find out who wrote to the store. Nothing was copied or destroyed.',
  });
}

function spkiOf(octets: SecretBytes): string | null {
  try {
    return spkiOfPkcs8(octets);
  } catch {
    return null;
  }
}

/** What lies in `store` under the owner's record name, held against the record where the row says it is. */
export async function compareCopy(
  desk: Desk,
  owner: Owner,
  store: KeyStore,
): Promise<'same' | 'absent' | 'other' | 'unknown'> {
  try {
    using copy = await store.tryRead(owner.row.record);
    if (copy === null) return 'absent';
    using original = await desk.stores.get(owner.row.store)?.read(owner.row.record);
    if (original === undefined) return 'unknown';
    assertSound(owner, original, store);
    return isOf(owner, copy, original) ? 'same' : 'other';
  } catch (error) {
    if (error instanceof KeyturnError && error.code !== 'keystore_unavailable') return 'other';
    return 'unknown';
  }
}
