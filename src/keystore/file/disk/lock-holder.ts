import { readFile } from 'node:fs/promises';
import { identify } from './identity.ts';

/**
 * Which process holds the lock file, by what the kernel lists (proc(5), /proc/locks): to take the lock, if only for a
 * moment, could stop a server that starts at this moment. Null when nobody does, or when the system does not tell:
 * elsewhere than on Linux, and for a holder in another PID namespace, such as a container.
 */
export async function lockHolder(lockPath: string): Promise<number | null> {
  const identity = await identify(lockPath);
  const locks = identity === null ? '' : await readFile('/proc/locks', 'utf8').catch(() => '');
  for (const line of locks.split('\n')) {
    const [, process, inode] = /\bWRITE\s+(-?\d+)\s+[0-9a-f]+:[0-9a-f]+:(\d+)\s/.exec(line) ?? [];
    if (inode === String(identity?.inode) && Number(process) > 0) return Number(process);
  }
  return null;
}
