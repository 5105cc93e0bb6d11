import { lstat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { attention, broken, type Check, ok } from '../../../core/check.ts';

/** A file of its owner alone, in a folder of its owner alone. */
export async function examinePlace(name: string, path: string): Promise<Check> {
  for (const [place, mode] of [
    [dirname(path), '700'],
    [path, '600'],
  ] as const) {
    try {
      const found = await lstat(place);
      if (found.isSymbolicLink()) return broken(name, `${place} is a symbolic link`, 'Name the place itself.');
      if ((found.mode & 0o077) !== 0) return broken(name, `${place} is open to others`, `chmod ${mode} ${place}`);
      if (found.uid !== process.geteuid?.())
        return attention(name, `${place} is another user’s`, 'Run this as that user.');
    } catch {
      return broken(name, `${place} can't be read`, 'Put it back from a backup, or run as the user that owns it.');
    }
  }
  return ok(name, path);
}
