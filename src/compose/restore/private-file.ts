import { SecretBytes } from '../../core/secret-bytes.ts';
import { readWhole } from '../../keystore/file/disk/read-whole.ts';

/**
 * A small secret file of this user alone; the octets are the caller's to dispose of.
 * @throws KeyturnError `not_found`, `keystore_insecure`, `keystore_corrupt` for one that is too large.
 */
export async function readPrivateFile(path: string, maxOctets: number): Promise<SecretBytes> {
  return SecretBytes.own((await readWhole(path, { maxOctets })).octets);
}
