import { createHash, createHmac } from 'node:crypto';
import { KeyturnError } from '../../../core/errors.ts';
import type { SecretBytes } from '../../../core/secret-bytes.ts';
import type { RecordName } from '../../record-name.ts';
import { seal, unseal } from './aead.ts';
import type { StoreKeys } from './keys.ts';

/** Section 5: a record sealed under the store's record key, bound to format, store and name. */
export function sealRecord(keys: StoreKeys, storeId: Buffer, name: RecordName, octets: SecretBytes): Buffer {
  return seal(keys.records, octets, associatedData(storeId, name));
}

/**
 * The record's octets, owned by the caller.
 * @throws KeyturnError `keystore_corrupt` when it was not sealed for this very store and name.
 */
export function unsealRecord(keys: StoreKeys, storeId: Buffer, name: RecordName, sealed: Buffer): SecretBytes {
  const octets = unseal(keys.records, sealed, associatedData(storeId, name));
  if (octets !== null) return octets;
  throw new KeyturnError('keystore_corrupt', `The record ${name} is not what was sealed in this store by that name.`, {
    fix: 'Keep the key store for inspection and restore its newest backup.',
  });
}

export function isAuthentic(keys: StoreKeys, storeId: Buffer, name: RecordName, sealed: Buffer): boolean {
  using octets = unseal(keys.records, sealed, associatedData(storeId, name));
  return octets !== null;
}

function associatedData(storeId: Buffer, name: RecordName): Buffer {
  return Buffer.concat([Buffer.from('keyturn key-file 1 record\0'), storeId, Buffer.from(name, 'latin1')]);
}

/** Section 7: names a record's content without revealing it; the same whatever the nonce and the data key. */
export function contentTag(keys: StoreKeys, name: RecordName, octets: SecretBytes): Buffer {
  const hmac = createHmac('sha256', keys.content);
  return hmac
    .update(Buffer.from([name.length]))
    .update(name, 'latin1')
    .update(octets.bytes)
    .digest();
}

/** Section 7: lower-case hex SHA-256 over names and content tags, in ascending order of names. */
export function contentDigest(tags: ReadonlyMap<RecordName, Buffer>, without: readonly RecordName[]): string {
  const hash = createHash('sha256').update('keyturn store digest 1\0');
  const left = new Set(without);
  for (const [name, tag] of [...tags].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!left.has(name))
      hash
        .update(Buffer.from([name.length]))
        .update(name, 'latin1')
        .update(tag);
  }
  return hash.digest('hex');
}
