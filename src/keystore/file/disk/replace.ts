import { randomBytes } from 'node:crypto';
import { constants, type FileHandle, open, readdir, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { syncFolder } from '../../../core/io/sync-folder.ts';
import { type FileIdentity, identityOf } from './identity.ts';
import { errno } from './owner-only.ts';

/** The file was not replaced (`ambiguous: false`), or it can't be told whether it was, durably. */
export class ReplaceFailure extends Error {
  readonly ambiguous: boolean;
  readonly errno: string;

  constructor(ambiguous: boolean, cause: unknown) {
    super('file not replaced');
    this.ambiguous = ambiguous;
    this.errno = errno(cause);
  }
}

/**
 * Puts `octets` in the place of `path`: whole, durable, owner-only, or not at all. A temporary file beside it is
 * written and synced, renamed over it, and the folder is synced.
 * @throws ReplaceFailure
 */
export async function replaceFile(path: string, octets: Buffer): Promise<FileIdentity> {
  const temporary = `${path}.tmp-${randomBytes(8).toString('hex')}`;
  let identity: FileIdentity;
  try {
    identity = await writeNew(temporary, octets);
  } catch (error) {
    await unlink(temporary).catch(() => {}); // what stays is swept at the next open
    throw new ReplaceFailure(false, error);
  }
  try {
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    throw new ReplaceFailure(true, error);
  }
  return identity;
}

/** Writes a file that must not exist yet, mode 0600, and syncs its content (not its folder). */
export async function writeNew(path: string, octets: Buffer): Promise<FileIdentity> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  await using handle = await open(path, flags, 0o600);
  await writeAll(handle, octets);
  // A failed sync is final for this descriptor: a second one may report success for pages already dropped.
  await handle.sync();
  return identityOf(await handle.stat({ bigint: true }));
}

/** Near a full disk a write stores a part and reports no error: the count tells. */
async function writeAll(handle: FileHandle, octets: Buffer): Promise<void> {
  let at = 0;
  while (at < octets.length) {
    const { bytesWritten } = await handle.write(octets, at, octets.length - at, at);
    if (bytesWritten === 0) throw new Error('nothing was written');
    at += bytesWritten;
  }
}

/** Removes what an interrupted {@link replaceFile} of this very path left. Only the lock's holder may. */
export async function sweepTemporaries(path: string): Promise<void> {
  const prefix = `${basename(path)}.tmp-`;
  for (const entry of await readdir(dirname(path), { withFileTypes: true })) {
    const ours = entry.name.startsWith(prefix) && /^[0-9a-f]{16}$/.test(entry.name.slice(prefix.length));
    if (ours && entry.isFile()) await unlink(join(dirname(path), entry.name)).catch(() => {});
  }
}
