import { timingSafeEqual } from 'node:crypto';
import { KeyturnError } from '../../../core/errors.ts';
import type { SecretBytes } from '../../../core/secret-bytes.ts';
import type { RecordName } from '../../record-name.ts';
import type { MasterKeySource } from '../master/source.ts';
import type { StoreState } from './image.ts';
import { freshKeys, lockUnder, rewrap } from './keys.ts';
import { type KeyFile, MAX_RECORD_OCTETS } from './layout.ts';
import { contentTag, sealRecord, unsealRecord } from './records.ts';

/**
 * The state with one record more; null when it stands there with the same octets.
 * @throws KeyturnError `keystore_conflict` when it stands there with others; `invalid_input` for a length out of bounds.
 */
export function withRecord(state: StoreState, name: RecordName, octets: SecretBytes): StoreState | null {
  if (octets.length < 1 || octets.length > MAX_RECORD_OCTETS) {
    throw new KeyturnError('invalid_input', `A record has 1 to ${MAX_RECORD_OCTETS} octets, not ${octets.length}.`);
  }
  const tag = contentTag(state.keys, name, octets);
  const standing = state.tags.get(name);
  if (standing !== undefined) {
    if (timingSafeEqual(standing, tag)) return null;
    throw new KeyturnError('keystore_conflict', `The record ${name} stands in the key store with other content.`, {
      fix: 'A record is never changed: write the new content under a new name.',
    });
  }
  const sealed = sealRecord(state.keys, state.file.storeId, name, octets);
  const records = new Map(state.file.records).set(name, sealed);
  return { ...state, file: changed(state.file, { records }), tags: new Map(state.tags).set(name, tag) };
}

/** The state without one record; null when there is none of that name. */
export function destroyed(state: StoreState, name: RecordName): StoreState | null {
  if (!state.file.records.has(name)) return null;
  const records = new Map(state.file.records);
  const tags = new Map(state.tags);
  records.delete(name);
  tags.delete(name);
  return { ...state, file: changed(state.file, { records }), tags };
}

/** The same content, locked under another master key, whose octets `master` gave. */
export async function relocked(state: StoreState, master: MasterKeySource, octets: SecretBytes): Promise<StoreState> {
  const lock = await lockUnder(master, octets, state.file.storeId, state.keys);
  return { ...state, file: changed(state.file, { lock }), master };
}

/**
 * The same content, sealed under a fresh data key that is locked under the same master key.
 * @throws KeyturnError `master_key_wrong` when `octets` are not that one's: a lock nobody can open is never made.
 */
export async function rekeyed(state: StoreState, octets: SecretBytes, place: string): Promise<StoreState> {
  const { storeId } = state.file;
  const keys = freshKeys(storeId, state.keys.content);
  const lock = await rewrap(state.master, octets, { storeId, lock: state.file.lock, place }, keys);
  const records = new Map<RecordName, Buffer>();
  for (const [name, sealed] of state.file.records) {
    using plaintext = unsealRecord(state.keys, storeId, name, sealed);
    records.set(name, sealRecord(keys, storeId, name, plaintext));
  }
  return { ...state, file: changed(state.file, { lock, records }), keys };
}

function changed(file: KeyFile, change: Partial<Pick<KeyFile, 'lock' | 'records'>>): KeyFile {
  return { ...file, ...change, generation: file.generation + 1 };
}
