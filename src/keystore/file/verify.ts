import { dirname, resolve } from 'node:path';
import { isKeyturnError, KeyturnError } from '../../core/errors.ts';
import { MAX_FILE_OCTETS } from './disk/held-file.ts';
import { checkPrivateFolder } from './disk/owner-only.ts';
import { readWhole } from './disk/read-whole.ts';
import type { FileStoreOptions } from './file-store.ts';
import { type Damage, findDamage } from './key-file/diagnose.ts';
import { decodeState } from './key-file/image.ts';
import { contentDigest } from './key-file/records.ts';

export interface FileStoreReport {
  readonly path: string;
  /** Random name of the store, 32 lower-case hex digits. Copies share it. */
  readonly storeId: string;
  readonly generation: number;
  /** As `attest` gives it. */
  readonly digest: string;
  readonly records: number;
  /** Size of the file. */
  readonly octets: number;
  readonly lockedWith: 'key' | 'passphrase';
}

/**
 * Reads and authenticates a whole store without taking its lock, so also while a server has it open: a replacement is
 * atomic, what is read is one whole file. That it is the newest one, only whoever recorded its generation can tell.
 * @throws KeyturnError as `openFileStore` does, `keystore_in_use` excepted. `keystore_corrupt` names the damaged records
 *   where they can be told.
 */
export async function verifyFileStore({ path, master }: FileStoreOptions): Promise<FileStoreReport> {
  const absolute = resolve(path);
  await checkPrivateFolder(dirname(absolute));
  const { octets } = await readWhole(absolute, { maxOctets: MAX_FILE_OCTETS });
  const { file, tags } = await decodeState(octets, master, absolute).catch(async (error: unknown) => {
    const damage = isKeyturnError(error, 'keystore_corrupt') ? await findDamage(octets, master, absolute) : null;
    throw damage === null ? error : located(error, damage);
  });
  return {
    path: absolute,
    storeId: file.storeId.toString('hex'),
    generation: file.generation,
    digest: contentDigest(tags, []),
    records: tags.size,
    octets: octets.length,
    lockedWith: file.lock.stretch === null ? 'key' : 'passphrase',
  };
}

/** How many damaged records a message names. */
const MOST_NAMED = 10;

function located(error: unknown, { records, of }: Damage): unknown {
  if (!isKeyturnError(error)) return error;
  const names = records.slice(0, MOST_NAMED).join(', ') + (records.length > MOST_NAMED ? ', …' : '');
  const where =
    records.length === 0
      ? `Each of its ${of} records is authentic: what was changed is its header, its end, or which records it holds.`
      : `Not authentic: ${names} (${records.length} of ${of} records).`;
  const fix = error.fix === undefined ? {} : { fix: error.fix };
  return new KeyturnError(error.code, `${error.message} ${where}`, {
    ...fix,
    facts: { damagedRecords: records.length },
  });
}
