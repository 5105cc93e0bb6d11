import { createPublicKey, type KeyObject, type webcrypto } from 'node:crypto';
import { KeyturnError } from '../../core/errors.ts';

/** How a key signs, in the words of Web Crypto; hashes as RFC 5656 section 6.2.1 pairs them with curves. */
type SigningAlgorithm =
  | { readonly name: 'RSASSA-PKCS1-v1_5'; readonly hash: 'SHA-256' }
  | { readonly name: 'ECDSA'; readonly namedCurve: 'P-256' | 'P-384'; readonly hash: 'SHA-256' | 'SHA-384' };

export interface SigningKeys {
  readonly privateKey: webcrypto.CryptoKey;
  readonly publicKey: webcrypto.CryptoKey;
  readonly algorithm: SigningAlgorithm;
}

const RSA = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } as const;
const CURVES: Readonly<Record<string, SigningAlgorithm>> = {
  prime256v1: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  secp384r1: { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
};

/**
 * A private key in the form that certificates and requests are signed with; what it was made from stays the caller's.
 * @throws KeyturnError `key_too_weak` for a kind of key that nothing is signed with here.
 */
export function signingKeys(key: KeyObject): SigningKeys {
  const algorithm = algorithmOf(key);
  return {
    algorithm,
    privateKey: key.toCryptoKey(algorithm, false, ['sign']),
    publicKey: verifyingKey(createPublicKey(key)),
  };
}

/** @throws KeyturnError as {@link signingKeys}. */
export function verifyingKey(key: KeyObject): webcrypto.CryptoKey {
  return key.toCryptoKey(algorithmOf(key), true, ['verify']);
}

function algorithmOf(key: KeyObject): SigningAlgorithm {
  const { namedCurve = '' } = key.asymmetricKeyDetails ?? {};
  const found = key.asymmetricKeyType === 'rsa' ? RSA : CURVES[namedCurve];
  if (found !== undefined) return found;
  throw new KeyturnError('key_too_weak', 'Nothing is signed here with a key of this kind.', {
    fix: 'Use RSA, EC P-256 or EC P-384.',
  });
}
