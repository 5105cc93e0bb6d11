import { isKeyturnError } from '../../../core/errors.ts';
import { type BerElement, readBer } from '../ber.ts';
import { identifier, sequence } from '../parts.ts';
import type { Reading } from '../reading.ts';
import { unsupported, wrongPassword } from '../rejected.ts';
import { decipher, type Keyed } from './cipher.ts';
import { keyLegacy, LEGACY_SCHEMES } from './legacy.ts';
import { keyPbes2, PBES2 } from './pbes2.ts';

/**
 * Opens what is encrypted with the reading's password and reads it as one element; the octets are wiped when the
 * reading ends. `algorithm`: SEQUENCE { scheme, parameters }.
 * @throws KeyturnError `key_password_wrong`, unless the MAC has shown the password to be right; `key_unreadable`,
 * `archive_rejected`
 */
export async function openEncrypted(
  algorithm: BerElement | undefined,
  data: Buffer,
  reading: Reading,
): Promise<BerElement> {
  const keyed = await keyOf(algorithm, reading);
  const plain = await decipher(keyed, data);
  if (plain === null) throw doesNotOpen(reading);
  try {
    return readBer(reading.keep(plain), reading);
  } catch (error) {
    // A wrong password leaves padding that looks right once in 256 times, and never a structure within.
    if (!isKeyturnError(error) || reading.authenticated) throw error;
    throw wrongPassword();
  }
}

async function keyOf(algorithm: BerElement | undefined, reading: Reading): Promise<Keyed> {
  const [scheme, parameters] = sequence(algorithm);
  const name = identifier(scheme);
  if (name === PBES2) return keyPbes2(parameters, reading);
  const legacy = LEGACY_SCHEMES[name];
  if (legacy === undefined) throw unsupported('is encrypted in a way that is not read here');
  return keyLegacy(legacy, parameters, reading);
}

function doesNotOpen(reading: Reading) {
  return reading.authenticated
    ? unsupported('has one password for its check sum and another for its content')
    : wrongPassword();
}
