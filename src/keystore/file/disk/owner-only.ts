import type { Stats } from 'node:fs';
import { constants, type FileHandle, open } from 'node:fs/promises';
import { KeyturnError } from '../../../core/errors.ts';

/**
 * Who may hold a secret's file or folder. `private`: this process's user alone. `systemd`: the service manager may
 * own it, and lets the service read through an ACL whose mask shows as group bits (systemd.exec(5), Credentials).
 */
export type Ownership = 'private' | 'systemd';

const FORBIDDEN_BITS = { private: 0o077, systemd: 0o037 } as const;

/**
 * Opens an existing regular file for reading, refusing symbolic links, other owners and modes that let others in.
 * The checks are made on what was opened, not on the name.
 * @throws KeyturnError `keystore_insecure`, `not_found`, `keystore_unavailable`.
 */
export async function openPrivateFile(path: string, ownership: Ownership = 'private'): Promise<FileHandle> {
  const handle = await openExisting(path, constants.O_NONBLOCK, 'file');
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) throw insecure(path, 'it is not a regular file', 'Point to a regular file.');
    checkOwner(path, stats, ownership, '600');
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** The same for a folder, which is only checked. */
export async function checkPrivateFolder(path: string, ownership: Ownership = 'private'): Promise<void> {
  await using handle = await openExisting(path, constants.O_DIRECTORY, 'folder');
  checkOwner(path, await handle.stat(), ownership, '700');
}

async function openExisting(path: string, flags: number, what: 'file' | 'folder'): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | flags);
  } catch (error) {
    const code = errno(error);
    if (code === 'ELOOP' || (code === 'ENOTDIR' && what === 'folder')) {
      throw insecure(path, `it is a symbolic link, or not a ${what}`, `Name the ${what} itself.`);
    }
    if (code === 'ENOENT') {
      throw new KeyturnError('not_found', `There is no ${what} ${path}.`, {
        fix:
          what === 'folder'
            ? `Make it: mkdir -m 700 ${path}`
            : 'Put it back, or correct the path that names it (keyturn.yaml, or a --…-file). An instance is made by keyturn init.',
      });
    }
    throw new KeyturnError('keystore_unavailable', `The ${what} ${path} can't be opened (${code}).`);
  }
}

function checkOwner(path: string, stats: Stats, ownership: Ownership, wanted: string): void {
  if (process.geteuid === undefined) return; // Windows has no owner or mode bits to check
  const own = process.geteuid();
  if (stats.uid !== own && !(ownership === 'systemd' && stats.uid === 0)) {
    throw insecure(path, `it belongs to user ${stats.uid}, this process runs as ${own}`, `Run: chown ${own} ${path}`);
  }
  if ((stats.mode & FORBIDDEN_BITS[ownership]) !== 0) {
    const mode = (stats.mode & 0o777).toString(8);
    throw insecure(path, `others than its owner have access (mode ${mode})`, `Run: chmod ${wanted} ${path}`);
  }
}

function insecure(path: string, why: string, fix: string): KeyturnError {
  return new KeyturnError('keystore_insecure', `${path} is refused: ${why}.`, { fix });
}

/** `ENOSPC` and the like; `unknown` for what is not a system error. */
export function errno(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown';
}
