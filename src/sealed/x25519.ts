import { createPublicKey, diffieHellman, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { KeyturnError } from '../core/errors.ts';

/** Octets of a raw public key and of a shared point. */
export const X25519_LENGTH = 32;

// RFC 8410 section 4: SubjectPublicKeyInfo { AlgorithmIdentifier { 1.3.101.110 }, BIT STRING } up to the key itself.
const SPKI_PREFIX = Buffer.from('302a300506032b656e032100', 'hex');

export interface X25519KeyPair {
  readonly privateKey: KeyObject;
  /** Raw, 32 octets. */
  readonly publicKey: Buffer;
}

export function generateX25519(): X25519KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('x25519');
  return { privateKey, publicKey: rawPublicKey(publicKey) };
}

/** Raw octets of an X25519 key; of a private key, those of its public half. */
export function rawPublicKey(key: KeyObject): Buffer {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return publicKey.export({ format: 'der', type: 'spki' }).subarray(SPKI_PREFIX.length);
}

/**
 * The shared point, 32 octets, for the caller to wipe. `publicKey` is attacker-controlled.
 * @throws KeyturnError `invalid_input` when it has another length or its order is small.
 */
export function agree(privateKey: KeyObject, publicKey: Buffer): Buffer {
  if (publicKey.length !== X25519_LENGTH) throw unusable();
  const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), format: 'der', type: 'spki' });
  let shared: Buffer;
  try {
    shared = diffieHellman({ privateKey, publicKey: key });
  } catch {
    throw unusable();
  }
  // RFC 7748 section 6.1, RFC 9180 section 7.1.4: an all-zero result is refused. OpenSSL throws before this line does.
  if (isAllZero(shared)) throw unusable();
  return shared;
}

/** Looks at every octet whatever it finds. */
export function isAllZero(octets: Buffer): boolean {
  return octets.reduce((seen, octet) => seen | octet, 0) === 0;
}

function unusable(): KeyturnError {
  return new KeyturnError('invalid_input', 'That is not a usable X25519 public key.', {
    fix: 'Send the 32 raw octets of a freshly generated public key.',
  });
}
