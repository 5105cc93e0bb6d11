import { generateKeyPair, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { SecretBytes } from '../../core/secret-bytes.ts';
import { spkiFingerprint } from '../fingerprint.ts';
import { keyAlgorithm } from '../key-strength.ts';
import type { PrivateKeyFile } from '../private-key.ts';

/** Kinds of keys that are made here, in the words of {@link keyAlgorithm}. */
export const NEW_KEYS = ['EC P-256', 'EC P-384', 'RSA-2048', 'RSA-3072', 'RSA-4096'] as const;

export type NewKey = (typeof NEW_KEYS)[number];

const CURVES = { 'EC P-256': 'P-256', 'EC P-384': 'P-384' } as const;
const BITS = { 'RSA-2048': 2048, 'RSA-3072': 3072, 'RSA-4096': 4096 } as const;

const generate = promisify(generateKeyPair);

/** A fresh key, made off the event loop; it has no string form. Whoever holds it disposes `pkcs8`. */
export async function newPrivateKey(kind: NewKey): Promise<PrivateKeyFile> {
  const key = await (kind in CURVES ? ecKey(kind as keyof typeof CURVES) : rsaKey(kind as keyof typeof BITS));
  return {
    key,
    pkcs8: SecretBytes.own(key.export({ type: 'pkcs8', format: 'der' })),
    spki: spkiFingerprint(key),
    algorithm: keyAlgorithm(key),
  };
}

async function ecKey(kind: keyof typeof CURVES): Promise<KeyObject> {
  return (await generate('ec', { namedCurve: CURVES[kind] })).privateKey;
}

async function rsaKey(kind: keyof typeof BITS): Promise<KeyObject> {
  return (await generate('rsa', { modulusLength: BITS[kind], publicExponent: 65_537 })).privateKey;
}
