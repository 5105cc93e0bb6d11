import { timingSafeEqual } from 'node:crypto';
import type { RecordName } from '../../record-name.ts';
import type { MasterKeySource } from '../master/source.ts';
import { damaged } from './damage.ts';
import { bodyMac, type StoreKeys, unlock } from './keys.ts';
import { encodeBody, encodeFile, type KeyFile, parseFile } from './layout.ts';
import { contentTag, unsealRecord } from './records.ts';

/** A store's whole content in memory: records stay sealed. Never changed in place; a change makes the next one. */
export interface StoreState {
  readonly file: KeyFile;
  readonly keys: StoreKeys;
  /** Content tag of each record. */
  readonly tags: ReadonlyMap<RecordName, Buffer>;
  /** What opens it. */
  readonly master: MasterKeySource;
}

/** The octets of the file that holds this state. */
export function encodeState(state: StoreState): Buffer {
  const body = encodeBody(state.file);
  return encodeFile(body, bodyMac(state.keys, body));
}

/**
 * Authenticates a whole file and every record in it; nothing of it is returned when any octet is wrong.
 * @throws KeyturnError `keystore_corrupt`, `master_key_wrong`, or what the master key source throws.
 */
export async function decodeState(octets: Buffer, master: MasterKeySource, place: string): Promise<StoreState> {
  const { file, body, mac } = parseFile(octets, place);
  using masterOctets = await master.read();
  const keys = await unlock(master, masterOctets, { storeId: file.storeId, lock: file.lock, place });
  if (!timingSafeEqual(bodyMac(keys, body), mac)) throw damaged(place, 'its content is not what was last written');
  const tags = new Map<RecordName, Buffer>();
  for (const [name, sealed] of file.records) {
    using plaintext = unsealRecord(keys, file.storeId, name, sealed);
    tags.set(name, contentTag(keys, name, plaintext));
  }
  return { file, keys, tags, master };
}
