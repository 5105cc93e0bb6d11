import { createHmac, createSecretKey, hkdfSync, type KeyObject, randomFillSync, timingSafeEqual } from 'node:crypto';
import { KeyturnError } from '../../../core/errors.ts';
import { SecretBytes } from '../../../core/secret-bytes.ts';
import { checkNewPassphrase } from '../master/passphrase.ts';
import { MASTER_KEY_OCTETS, type MasterKeySource } from '../master/source.ts';
import { seal, unseal } from './aead.ts';
import { damaged } from './damage.ts';
import { encodePreamble, type MasterLock } from './layout.ts';
import { freshStretch, type StretchParameters, stretch as stretchPassphrase } from './stretch.ts';

const KEY_OCTETS = 32;

/** A store's keys, unwrapped, as OpenSSL holds them. */
export interface StoreKeys {
  /** Replaced by a data key rotation; `records` and `mac` derive from it. */
  readonly data: KeyObject;
  /** Names contents in digests. Lives as long as the store, so that equal content keeps its digest. */
  readonly content: KeyObject;
  readonly records: KeyObject;
  readonly mac: KeyObject;
}

/** A random data key beside the given content key, or beside a random one. */
export function freshKeys(storeId: Buffer, content: KeyObject = randomKey()): StoreKeys {
  return storeKeys(storeId, randomKey(), content);
}

/** Section 4: HKDF (RFC 5869) separates the keys by purpose and store. */
function storeKeys(storeId: Buffer, data: KeyObject, content: KeyObject): StoreKeys {
  return { data, content, records: derive(data, storeId, 'records'), mac: derive(data, storeId, 'file mac') };
}

/**
 * Section 3: locks the store's keys under a master key whose octets were read from `master`, with a new salt where
 * that is a passphrase.
 * @throws KeyturnError `invalid_input` for a passphrase too short to stand against guessing.
 */
export async function lockUnder(
  master: MasterKeySource,
  octets: SecretBytes,
  storeId: Buffer,
  keys: StoreKeys,
): Promise<MasterLock> {
  if (master.kind === 'passphrase') checkNewPassphrase(octets);
  const stretch = master.kind === 'passphrase' ? freshStretch() : null;
  const key = await masterKey(master, octets, stretch);
  const header = { stretch, check: checkValue(key, storeId) };
  return { ...header, wrapped: wrap(key, storeId, header, keys) };
}

/** A lock as it was found, which an attacker may have written. `place` is the file's path. */
export interface FoundLock {
  readonly storeId: Buffer;
  readonly lock: MasterLock;
  readonly place: string;
}

/** @throws KeyturnError `master_key_wrong`, or `keystore_corrupt` when the master key is right and the lock is not. */
export async function unlock(master: MasterKeySource, octets: SecretBytes, found: FoundLock): Promise<StoreKeys> {
  const { storeId, lock, place } = found;
  const key = await matchingKey(master, octets, found);
  using both = unseal(derive(key, storeId, 'wrap'), lock.wrapped, encodePreamble(storeId, lock));
  if (both === null) throw damaged(place, 'its keys do not unwrap');
  const data = createSecretKey(both.bytes.subarray(0, KEY_OCTETS));
  return storeKeys(storeId, data, createSecretKey(both.bytes.subarray(KEY_OCTETS)));
}

/** Other keys under the same lock. @throws KeyturnError `master_key_wrong` when the octets are not that lock's. */
export async function rewrap(
  master: MasterKeySource,
  octets: SecretBytes,
  found: FoundLock,
  keys: StoreKeys,
): Promise<MasterLock> {
  const key = await matchingKey(master, octets, found);
  return { ...found.lock, wrapped: wrap(key, found.storeId, found.lock, keys) };
}

async function matchingKey(master: MasterKeySource, octets: SecretBytes, found: FoundLock): Promise<KeyObject> {
  const { storeId, lock, place } = found;
  const wanted = lock.stretch === null ? 'key' : 'passphrase';
  if (master.kind !== wanted) throw wrongMaster(place, `it opens with a ${wanted}, not with a ${master.kind}`);
  const key = await masterKey(master, octets, lock.stretch);
  if (timingSafeEqual(checkValue(key, storeId), lock.check)) return key;
  throw wrongMaster(place, `the ${master.description} is not the one that it was locked with`);
}

function wrap(master: KeyObject, storeId: Buffer, lock: Omit<MasterLock, 'wrapped'>, keys: StoreKeys): Buffer {
  using both = exportKeys(keys);
  return seal(derive(master, storeId, 'wrap'), both, encodePreamble(storeId, lock));
}

/** Section 6: over the whole body, so that nothing can be dropped, moved, spliced or cut. */
export function bodyMac(keys: StoreKeys, body: Buffer): Buffer {
  return createHmac('sha256', keys.mac).update(body).digest();
}

async function masterKey(
  master: MasterKeySource,
  octets: SecretBytes,
  stretch: StretchParameters | null,
): Promise<KeyObject> {
  if (stretch !== null) {
    using stretched = await stretchPassphrase(octets, stretch);
    return createSecretKey(stretched.bytes);
  }
  if (octets.length !== MASTER_KEY_OCTETS) {
    throw new KeyturnError('master_key_wrong', `The ${master.description} does not hold ${MASTER_KEY_OCTETS} octets.`);
  }
  return createSecretKey(octets.bytes);
}

function checkValue(master: KeyObject, storeId: Buffer): Buffer {
  return derive(master, storeId, 'check').export();
}

function derive(from: KeyObject, storeId: Buffer, purpose: 'wrap' | 'check' | 'records' | 'file mac'): KeyObject {
  const octets = Buffer.from(hkdfSync('sha256', from, storeId, `keyturn key-file 1 ${purpose}`, KEY_OCTETS));
  const key = createSecretKey(octets);
  octets.fill(0);
  return key;
}

function exportKeys(keys: StoreKeys): SecretBytes {
  const both = Buffer.allocUnsafeSlow(2 * KEY_OCTETS);
  for (const [index, key] of [keys.data, keys.content].entries()) {
    const octets = key.export();
    octets.copy(both, index * KEY_OCTETS);
    octets.fill(0);
  }
  return SecretBytes.own(both);
}

function randomKey(): KeyObject {
  const octets = randomFillSync(Buffer.allocUnsafeSlow(KEY_OCTETS));
  const key = createSecretKey(octets);
  octets.fill(0);
  return key;
}

function wrongMaster(place: string, why: string): KeyturnError {
  return new KeyturnError('master_key_wrong', `The key store ${place} does not open: ${why}.`, {
    fix: 'Give the master key or passphrase that this store was made with, or last rotated to.',
  });
}
