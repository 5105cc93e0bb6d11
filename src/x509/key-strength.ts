import { createPublicKey, type KeyObject } from 'node:crypto';
import { KeyturnError } from '../core/errors.ts';
import { derElements, TAG } from './encoding/der.ts';

const MIN_RSA_BITS = 2048;
/** OpenSSL's own limit for RSA verification (OPENSSL_RSA_MAX_MODULUS_BITS). */
const MAX_RSA_BITS = 16_384;
const MIN_RSA_EXPONENT = 65_537n;
const CURVES: Readonly<Record<string, string>> = { prime256v1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521' };
/** As many as Let's Encrypt's CA tries. */
const FERMAT_ROUNDS = 100;

/** How a public or private key is called here: `RSA-2048`, `EC P-256`, `Ed25519`; OpenSSL's word for any other. */
export function keyAlgorithm(key: KeyObject): string {
  const { modulusLength, namedCurve = 'with parameters of its own' } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return `RSA-${modulusLength}`;
    case 'ec':
      return `EC ${CURVES[namedCurve] ?? namedCurve}`;
    case 'ed25519':
      return 'Ed25519';
    default:
      return key.asymmetricKeyType ?? 'unknown';
  }
}

/**
 * Accepted: RSA from 2048 bits with a public exponent from 65537, NIST P-256, P-384 and P-521, Ed25519.
 * @throws KeyturnError `key_too_weak` for every other key, and for an RSA modulus whose primes are close together.
 */
export function refuseWeakKey(key: KeyObject): void {
  const { namedCurve = '' } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'rsa') refuseWeakRsa(key);
  else if (key.asymmetricKeyType === 'ec' && !namesItsCurve(key)) throw spelledOutCurve();
  else if (key.asymmetricKeyType !== 'ed25519' && !(key.asymmetricKeyType === 'ec' && namedCurve in CURVES)) {
    throw tooWeak(`A key of the kind ${keyAlgorithm(key)} is not accepted.`);
  }
}

/** RFC 5480 section 2.1.1: parameters of a curve are its name, never the curve spelled out. */
function namesItsCurve(key: KeyObject): boolean {
  const spki = (key.type === 'private' ? createPublicKey(key) : key).export({ type: 'spki', format: 'der' });
  const [subjectPublicKeyInfo] = derElements(spki);
  const [algorithm] = derElements(subjectPublicKeyInfo?.content ?? NOTHING);
  const [, parameters] = derElements(algorithm?.content ?? NOTHING);
  return parameters?.tag === TAG.oid;
}

const NOTHING = Buffer.alloc(0);

function refuseWeakRsa(key: KeyObject): void {
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (modulusLength < MIN_RSA_BITS || modulusLength > MAX_RSA_BITS) {
    throw tooWeak(`The RSA key has ${modulusLength} bits.`);
  }
  if (publicExponent < MIN_RSA_EXPONENT || publicExponent % 2n === 0n) {
    throw tooWeak(`The RSA key has the public exponent ${publicExponent.toString().slice(0, 20)}.`);
  }
  if (hasClosePrimes(modulusOf(key))) throw tooWeak('The two primes of the RSA key are so close that it is broken.');
}

/** Through the public half only: a JWK of a private key would put its secret parts into strings. */
function modulusOf(key: KeyObject): bigint {
  const jwk = (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'jwk' });
  return BigInt(`0x${Buffer.from(jwk.n ?? '', 'base64url').toString('hex')}`);
}

/** Fermat's factorisation (https://fermatattack.secvuln.info), bounded: finds primes that differ by very little. */
export function hasClosePrimes(modulus: bigint): boolean {
  let a = ceilSquareRoot(modulus);
  for (let round = 0; round < FERMAT_ROUNDS; round++, a++) {
    const rest = a * a - modulus;
    if (maySquare(rest) && ceilSquareRoot(rest) ** 2n === rest) return true;
  }
  return false;
}

/** Squares end in 0, 1, 4 or 9 modulo 16: three quarters of the square roots are saved. */
function maySquare(value: bigint): boolean {
  const low = Number(value & 15n);
  return low === 0 || low === 1 || low === 4 || low === 9;
}

/** Newton's iteration from above. */
function ceilSquareRoot(value: bigint): bigint {
  if (value < 2n) return value;
  let x = 1n << BigInt(Math.ceil(value.toString(16).length * 2) + 1);
  for (;;) {
    const next = (x + value / x) >> 1n;
    if (next >= x) return x * x === value ? x : x + 1n;
    x = next;
  }
}

function spelledOutCurve(): KeyturnError {
  const found = 'The EC key spells its curve out (explicit parameters) instead of naming it; TLS servers refuse that.';
  return new KeyturnError('key_too_weak', found, {
    fix: 'If it is the key alone: openssl ec -in KEY.pem -param_enc named_curve -out NEW.pem; else ask the partner for another.',
  });
}

function tooWeak(found: string): KeyturnError {
  return new KeyturnError('key_too_weak', found, {
    fix: 'Ask the partner for a key that is RSA of 2048 bits or more, EC P-256, P-384 or P-521, or Ed25519.',
  });
}
