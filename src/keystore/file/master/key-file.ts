import { readMasterKeyFile } from './octets-file.ts';
import type { MasterKeySource } from './source.ts';

/**
 * A master key in a file of this process's user alone (mode 0600 or 0400, no symbolic link): 32 random octets, as
 * they are or in base64. Keep it off the disk and out of the backups that hold the store.
 */
export function keyFile(path: string): MasterKeySource {
  return { kind: 'key', description: `key file ${path}`, read: () => readMasterKeyFile(path, 'private') };
}
