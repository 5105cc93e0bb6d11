import { type FileHandle, lstat, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { KeyturnError } from '../../core/errors.ts';
import { syncFolder } from '../../core/io/sync-folder.ts';

/**
 * A file of exactly `size` octets, ready to be written in place. A missing one is made of zeros, synced, and only then
 * given its name, so that a crash leaves either none or a whole one.
 * @throws KeyturnError `journal_unavailable`.
 */
export async function openPreallocated(path: string, size: number): Promise<FileHandle> {
  const stats = await lstat(path).catch(() => null);
  if (stats === null) await create(path, size);
  else if (!stats.isFile() || stats.uid !== process.getuid?.() || (stats.mode & 0o077) !== 0) {
    throw unusable(path, 'it is not a file that its owner alone can use', `Run: chmod 600 ${path}`);
  } else if (stats.size !== size) {
    throw unusable(
      path,
      `it has ${stats.size} octets, not ${size}`,
      'Correct journal.path in keyturn.yaml; where this is the journal, move it away, and a new one is made.',
    );
  }
  return open(path, 'r+');
}

/** @throws KeyturnError `journal_unavailable` unless every octet was taken: near a full disk a write may stop short. */
export async function writeWhole(file: FileHandle, octets: Buffer, position: number, path: string): Promise<void> {
  const { bytesWritten } = await file.write(octets, 0, octets.length, position);
  if (bytesWritten === octets.length) return;
  throw unusable(path, `only ${bytesWritten} of ${octets.length} octets were written`, 'Make room on its disk.');
}

async function create(path: string, size: number): Promise<void> {
  const made = `${path}.new`;
  // What a crash has left, or a link that somebody has put there.
  await rm(made, { force: true });
  const file = await open(made, 'wx', 0o600);
  try {
    await file.chmod(0o600);
    await writeWhole(file, Buffer.alloc(size), 0, path);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(made, path);
  await syncFolder(dirname(path));
}

export function unusable(path: string, what: string, fix: string): KeyturnError {
  return new KeyturnError('journal_unavailable', `The emergency journal ${path} cannot be used: ${what}.`, { fix });
}
