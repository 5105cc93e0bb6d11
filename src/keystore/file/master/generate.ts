import { randomFillSync } from 'node:crypto';
import { realpath, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { KeyturnError } from '../../../core/errors.ts';
import { syncFolder } from '../../../core/io/sync-folder.ts';
import { SecretBytes } from '../../../core/secret-bytes.ts';
import { checkPrivateFolder, errno } from '../disk/owner-only.ts';
import { writeNew } from '../disk/replace.ts';
import { encodeBase64 } from './base64-octets.ts';
import { keyFile } from './key-file.ts';
import { MASTER_KEY_OCTETS, type MasterKeySource } from './source.ts';

/**
 * Makes a master key: 32 random octets in base64 and a line end, in a new file of mode 0600, durable when it resolves.
 * Whoever copies one folder then has either the key or the store: both in one are refused.
 * @param storePath where the key store lies or will lie.
 * @throws KeyturnError `conflict` when the file exists, `keystore_insecure` for the store's own folder or one that
 *   others can enter, `keystore_unavailable`.
 */
export async function generateKeyFile(path: string, storePath: string): Promise<MasterKeySource> {
  const folder = dirname(path);
  await checkPrivateFolder(folder);
  if ((await realpath(folder)) === (await realpath(dirname(storePath)).catch(() => null))) {
    throw new KeyturnError('keystore_insecure', `${path} would lie in the folder of the store that it opens.`, {
      fix: 'Choose another folder for the master key, best on another disk and in no common backup.',
    });
  }
  using key = SecretBytes.own(randomFillSync(Buffer.allocUnsafeSlow(MASTER_KEY_OCTETS)));
  using text = SecretBytes.own(encodeBase64(key.bytes));
  const line = Buffer.allocUnsafeSlow(text.length + 1).fill('\n');
  text.bytes.copy(line);
  try {
    await writeNew(path, line);
    await syncFolder(folder);
  } catch (error) {
    if (errno(error) === 'EEXIST') throw new KeyturnError('conflict', `There is already a file ${path}.`);
    await unlink(path).catch(() => {});
    throw new KeyturnError('keystore_unavailable', `The master key ${path} can't be written (${errno(error)}).`);
  } finally {
    line.fill(0);
  }
  return keyFile(path);
}
