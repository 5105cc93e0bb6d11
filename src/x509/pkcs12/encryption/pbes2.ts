import { pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';
import type { BerElement } from '../ber.ts';
import { count, identifier, octets, sequence } from '../parts.ts';
import type { Reading } from '../reading.ts';
import { rejected, unsupported } from '../rejected.ts';
import { type CipherName, type Keyed, SIZES } from './cipher.ts';
import { type Digest, derivation } from './derivation.ts';

const pbkdf2InThread = promisify(pbkdf2);

/** Object identifiers as the hex of their DER content: RFC 8018 appendices A and B. */
export const PBES2 = '2a864886f70d01050d';
const PBKDF2 = '2a864886f70d01050c';
const CIPHERS: Readonly<Record<string, CipherName>> = {
  '608648016503040102': 'aes-128-cbc',
  '608648016503040116': 'aes-192-cbc',
  '60864801650304012a': 'aes-256-cbc',
  '2a864886f70d0307': 'des-ede3-cbc',
};
const HMACS: Readonly<Record<string, Digest>> = {
  '2a864886f70d0207': 'sha1',
  '2a864886f70d0208': 'sha224',
  '2a864886f70d0209': 'sha256',
  '2a864886f70d020a': 'sha384',
  '2a864886f70d020b': 'sha512',
};

/** RFC 8018 appendix A.4: SEQUENCE { keyDerivationFunc, encryptionScheme }. */
export async function keyPbes2(parameters: BerElement | undefined, reading: Reading): Promise<Keyed> {
  const [kdf, scheme] = sequence(parameters);
  const [cipher, vectorPart] = sequence(scheme);
  const name = CIPHERS[identifier(cipher)];
  if (name === undefined) throw unsupported('is encrypted with a cipher that is not read here');
  const vector = octets(vectorPart, reading);
  if (vector.length !== SIZES[name].block) throw rejected('an initialisation vector has the wrong length');
  return { name, key: await pbkdf2Key(kdf, SIZES[name].key, reading), vector };
}

/** RFC 8018 appendix A.2: SEQUENCE { salt, iterationCount, keyLength OPTIONAL, prf DEFAULT hmacWithSHA1 }. */
async function pbkdf2Key(kdf: BerElement | undefined, length: number, reading: Reading): Promise<Buffer> {
  const [algorithm, parameters] = sequence(kdf);
  if (identifier(algorithm) !== PBKDF2) throw unsupported('derives its key in a way that is not read here');
  const [salt, iterations, ...more] = sequence(parameters);
  const prf = more.find(({ tag }) => tag === 0x30);
  const digest = prf === undefined ? 'sha1' : HMACS[identifier(sequence(prf)[0])];
  if (digest === undefined) throw unsupported('derives its key with a hash that is not read here');
  const how = derivation(digest, octets(salt, reading), count(iterations), reading);
  return reading.keep(await pbkdf2InThread(reading.password.typed, how.salt, how.iterations, length, digest));
}
