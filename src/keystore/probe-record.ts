import { randomBytes } from 'node:crypto';
import { broken, brokenBy, type Check, ok } from '../core/check.ts';
import { SecretBytes } from '../core/secret-bytes.ts';
import type { KeyStore } from './keystore.ts';
import { type RecordName, recordName } from './record-name.ts';

/** Writes a record of random octets, reads it back and destroys it: what no question about permissions can replace. */
export async function tryRecord(store: KeyStore): Promise<Check[]> {
  const record = recordName(`doctor/probe/${randomBytes(8).toString('hex')}`);
  using octets = SecretBytes.copyOf(randomBytes(32));
  try {
    await store.write(record, octets);
  } catch (error) {
    return [brokenBy('write test', error), ...(await removed(store, record))];
  }
  try {
    await store.destroy(record);
    using left = await store.tryRead(record);
    if (left === null) return [ok('write test', 'a record was written, read back and destroyed')];
    return [broken('write test', `${record} is still there after it was destroyed`, 'Find out what restores it.')];
  } catch (error) {
    const { evidence, fix } = brokenBy('write test', error);
    return [broken('write test', `${evidence} The record ${record} was written, and is left behind`, fix)];
  }
}

/** After a write that failed and may have happened; says so when it can't be told. */
async function removed(store: KeyStore, record: RecordName): Promise<Check[]> {
  try {
    using left = await store.tryRead(record);
    if (left !== null) await store.destroy(record);
    return [];
  } catch {
    return [broken('write test', `whether the record ${record} was left behind is not known`, `Look for ${record}.`)];
  }
}
