import { unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { KeyturnError } from '../../../core/errors.ts';
import { syncFolder } from '../../../core/io/sync-folder.ts';
import { checkPrivateFolder, errno } from '../disk/owner-only.ts';
import { writeNew } from '../disk/replace.ts';

/**
 * Has a master key made and wrapped by `wrap`, and keeps the wrapped form in a new file of mode 0600, durable when it
 * resolves.
 * @throws KeyturnError `keystore_insecure` for a folder that others can enter, before anything is wrapped; `conflict`
 *   when the file exists; `keystore_unavailable`; what `wrap` throws.
 */
export async function writeWrappedKey(path: string, wrap: () => Promise<Buffer>): Promise<void> {
  const folder = dirname(path);
  await checkPrivateFolder(folder);
  const wrapped = await wrap();
  try {
    await writeNew(path, wrapped);
    await syncFolder(folder);
  } catch (error) {
    if (errno(error) === 'EEXIST') throw new KeyturnError('conflict', `There is already a file ${path}.`);
    await unlink(path).catch(() => {});
    throw new KeyturnError('keystore_unavailable', `The wrapped key ${path} can't be written (${errno(error)}).`);
  }
}
