import { KeyturnError } from '../../../core/errors.ts';
import { SecretBytes } from '../../../core/secret-bytes.ts';
import type { Ownership } from '../disk/owner-only.ts';
import { readWhole } from '../disk/read-whole.ts';
import { decodeBase64 } from './base64-octets.ts';
import { MASTER_KEY_OCTETS } from './source.ts';

const BASE64_OCTETS = 44;

/**
 * A master key out of a file that holds its 32 octets as they are, or in base64 with or without a line end.
 * @throws KeyturnError `master_key_wrong` for any other content, `keystore_insecure`, `not_found`,
 *   `keystore_unavailable`.
 */
export async function readMasterKeyFile(path: string, ownership: Ownership): Promise<SecretBytes> {
  const { octets } = await readWhole(path, { maxOctets: 4096, ownership });
  using _content = SecretBytes.own(octets);
  if (octets.length === MASTER_KEY_OCTETS) return SecretBytes.copyOf(octets);
  const text = octets.subarray(0, octets.length - lineEnd(octets));
  const key = text.length === BASE64_OCTETS ? decodeBase64(text) : null;
  if (key === null || key.length !== MASTER_KEY_OCTETS) {
    key?.fill(0);
    throw new KeyturnError('master_key_wrong', `${path} does not hold a master key.`, {
      fix: `A master key file holds ${MASTER_KEY_OCTETS} random octets, as they are or in base64.`,
    });
  }
  return SecretBytes.own(key);
}

function lineEnd(octets: Buffer): number {
  if (octets.at(-1) !== 0x0a) return 0;
  return octets.at(-2) === 0x0d ? 2 : 1;
}
