import { lstat } from 'node:fs/promises';
import { KeyturnError } from '../../../core/errors.ts';
import { errno } from './owner-only.ts';

/** Tells one file from any that may have taken its name. */
export interface FileIdentity {
  readonly device: bigint;
  readonly inode: bigint;
  readonly octets: bigint;
  readonly modifiedNs: bigint;
}

/** Takes `stat` results with `bigint: true`. */
export function identityOf(stats: { dev: bigint; ino: bigint; size: bigint; mtimeNs: bigint }): FileIdentity {
  return { device: stats.dev, inode: stats.ino, octets: stats.size, modifiedNs: stats.mtimeNs };
}

/** Null when there is no file of that name. @throws KeyturnError `keystore_unavailable`. */
export async function identify(path: string): Promise<FileIdentity | null> {
  try {
    return identityOf(await lstat(path, { bigint: true }));
  } catch (error) {
    if (errno(error) === 'ENOENT') return null;
    throw new KeyturnError('keystore_unavailable', `${path} can't be examined (${errno(error)}).`);
  }
}

/** The same file, not written to since. */
export function isUntouched(then: FileIdentity, now: FileIdentity | null): boolean {
  return isSameFile(then, now) && then.octets === now?.octets && then.modifiedNs === now.modifiedNs;
}

/** The same file, whatever happened to its content. */
export function isSameFile(then: FileIdentity, now: FileIdentity | null): boolean {
  return then.device === now?.device && then.inode === now.inode;
}
