import { createHash } from 'node:crypto';
import { KeyturnError } from '../../core/errors.ts';
import type { KeyStore } from '../../keystore/keystore.ts';
import type { Ledger } from '../../ledger/ledger.ts';

/**
 * At start: does the store hold what the ledger last knew? Explained differences are records whose write or destruction
 * was under way when the process ended (see StoreQueue) or failed with its outcome unknown. Anything else is a rollback, a swap
 * or a splice.
 * @throws KeyturnError `keystore_rollback`, saying which side is behind.
 */
export async function explainStore(ledger: Ledger, store: KeyStore): Promise<void> {
  const now = await store.attest();
  if (now === null) return;
  const [known] = await ledger.find('stores', { store: store.name });
  if (known === undefined) throw mismatch(store, 'the ledger has never known this store');
  if (now.generation < known.generation) {
    throw mismatch(store, `it is at generation ${now.generation}, the ledger knows ${known.generation}: an older copy`);
  }
  // Equal digests mean equal content: a new master key alone moves the generation on.
  if (known.digest === now.digest) return;
  for (const records of combinations(await pendingRecords(ledger, store.name))) {
    const without = await store.attest(records);
    if (without?.digest === known.digest) return;
  }
  throw mismatch(store, `its content at generation ${now.generation} is not what the ledger recorded`);
}

/**
 * Makes a further store known to the ledger, or holds it against what the ledger knows. One that can attest must be
 * empty when it is first met; of others their place is noted, so that a change of it is on the log.
 * @throws KeyturnError `keystore_rollback`.
 */
export async function enrolStore(ledger: Ledger, store: KeyStore): Promise<void> {
  const state = await store.attest();
  const [known] = await ledger.find('stores', { store: store.name });
  if (state !== null && known !== undefined) return explainStore(ledger, store);
  if (state !== null && (await store.list()).length > 0) throw mismatch(store, 'the ledger has never known it');
  const row = { store: store.name, ...(state ?? { generation: 0, digest: digestOf(store.driver.description) }) };
  if (known?.digest === row.digest) return;
  await ledger.commit({
    writes: [{ put: 'stores', row }],
    entry: {
      kind: known === undefined ? 'store.added' : 'store.place-changed',
      actor: 'system',
      data: { store: store.name, place: store.driver.description },
    },
  });
}

function digestOf(place: string): string {
  return createHash('sha256').update(place).digest('hex');
}

/** Pending records that may have landed together are as many as writes failed before a store stopped answering. */
const MOST_COMBINED = 8;

/** Every non-empty choice of `records`; of many, each alone and all together. */
function combinations(records: readonly string[]): string[][] {
  if (records.length > MOST_COMBINED) return [...records.map((record) => [record]), [...records]];
  const choices = Array.from({ length: 2 ** records.length - 1 }, (_, index) => index + 1);
  return choices.map((choice) => records.filter((_record, at) => (choice & (1 << at)) !== 0));
}

/** Of writes, and of destructions, that were under way. */
async function pendingRecords(ledger: Ledger, store: string): Promise<string[]> {
  const versions = await ledger.find('versions', { store, state: 'pending' });
  const companions = await ledger.find('companions', { store, state: 'pending' });
  const arriving = await ledger.find('moves', { target: store, state: 'copying' });
  const leaving = await ledger.find('moves', { source: store, state: 'destroying' });
  // Keys that are made for a rotation: their record is named before it is written.
  const made = await ledger.find('rotations', { store, spki: null, ended_at: null });
  const authorities = await ledger.find('authorities', { store, state: 'pending' });
  const all = [...versions, ...companions, ...arriving, ...leaving, ...made, ...authorities];
  return [...new Set(all.map((row) => row.record).filter((record) => record !== null))];
}

function mismatch(store: KeyStore, what: string): KeyturnError {
  return new KeyturnError('keystore_rollback', `The key store ${store.name} does not match the ledger: ${what}.`, {
    fix: 'Put back the store file and the ledger that belong together. Do not delete either: keys made by a partner cannot be fetched again.',
  });
}
