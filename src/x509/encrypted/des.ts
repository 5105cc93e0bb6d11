import { createDecipheriv, hash } from 'node:crypto';
import { type EncryptedPkcs8, pbes1Parameters } from './pkcs8.ts';

/**
 * Single DES, which OpenSSL 3 refuses and old portals still hand out. DES is triple DES with one key thrice, which
 * OpenSSL has: so the private key stays in Buffers, as it would not in a library that works on strings.
 * Decryption alone: nothing is ever encrypted this way here.
 */

/** RFC 8018 appendix A.3, by the hex of the object identifier. MD2 is gone from everywhere; RC2 is not read. */
const PBES1_DES: Readonly<Record<string, 'md5' | 'sha1'>> = {
  '2a864886f70d010503': 'md5',
  '2a864886f70d01050a': 'sha1',
};

/** RFC 8018 section 6.1.2. Null when the scheme is not DES; throws a node:crypto error when the padding is wrong. */
export function decryptPbes1Des(container: EncryptedPkcs8, password: Buffer): Buffer | null {
  const digest = PBES1_DES[container.scheme];
  if (digest === undefined) return null;
  const { salt, iterations } = pbes1Parameters(container);
  // RFC 8018 section 5.1 (PBKDF1): the first 8 octets are the key, the next 8 the initialisation vector.
  let derived = digestOf(digest, password, salt);
  for (let round = 1; round < iterations; round++) derived = hash(digest, derived, 'buffer');
  return decryptDes(derived.subarray(0, 8), derived.subarray(8, 16), container.data);
}

/** RFC 1423 section 1.1 with OpenSSL's derivation (EVP_BytesToKey, MD5, one round): `DEK-Info: DES-CBC,<iv>`. */
export function decryptDekInfoDes(iv: Buffer, data: Buffer, password: Buffer): Buffer {
  return decryptDes(digestOf('md5', password, iv).subarray(0, 8), iv, data);
}

function digestOf(digest: 'md5' | 'sha1', password: Buffer, salt: Buffer): Buffer {
  const input = Buffer.concat([password, salt]);
  try {
    return hash(digest, input, 'buffer');
  } finally {
    input.fill(0);
  }
}

function decryptDes(key: Buffer, iv: Buffer, data: Buffer): Buffer {
  const thrice = Buffer.concat([key, key, key]);
  const decipher = createDecipheriv('des-ede3-cbc', thrice, iv);
  const head = decipher.update(data);
  try {
    const tail = decipher.final();
    const plain = Buffer.allocUnsafeSlow(head.length + tail.length);
    plain.set(head, 0);
    plain.set(tail, head.length);
    tail.fill(0);
    return plain;
  } finally {
    head.fill(0);
    thrice.fill(0);
    key.fill(0);
  }
}
