import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { isKeyturnError, KeyturnError } from '../core/errors.ts';
import { SecretBytes } from '../core/secret-bytes.ts';
import { encodeBase64Lines } from './encoding/base64.ts';
import { decryptDekInfoDes, decryptPbes1Des } from './encrypted/des.ts';
import { readEncryptedPkcs8 } from './encrypted/pkcs8.ts';
import { spkiFingerprint } from './fingerprint.ts';
import { keyAlgorithm, refuseWeakKey } from './key-strength.ts';
import type { PemBlock } from './pem.ts';

/** A private key as it was read. Whoever holds it disposes `pkcs8`. */
export interface PrivateKeyFile {
  readonly key: KeyObject;
  /** DER, re-encoded: without what else the file said. */
  readonly pkcs8: SecretBytes;
  /** SHA-256 of the public half's DER SubjectPublicKeyInfo, lower-case hex. */
  readonly spki: string;
  /** `RSA-2048`, `EC P-256`, `Ed25519`. */
  readonly algorithm: string;
}

type Form = 'pkcs1' | 'pkcs8' | 'sec1';

const FORMS: Readonly<Record<string, Form>> = {
  'RSA PRIVATE KEY': 'pkcs1',
  'EC PRIVATE KEY': 'sec1',
  'PRIVATE KEY': 'pkcs8',
  'ENCRYPTED PRIVATE KEY': 'pkcs8',
};

/** RFC 1421 section 4.6.1.3 and RFC 1423; the vector is hex. */
const DEK_INFO = /^([A-Z0-9-]{3,32}),([0-9A-Fa-f]{16,64})$/;

/**
 * Reads PKCS#1, SEC1 and PKCS#8, and both kinds of encrypted PEM (PKCS#8's and `DEK-Info`). The block stays the
 * caller's, to wipe. A password for a key that has none is ignored.
 * @throws KeyturnError `key_unreadable`, `key_password_required`, `key_password_wrong`, `key_too_weak`
 */
export function readPrivateKey(block: PemBlock, password?: SecretBytes): PrivateKeyFile {
  const form = FORMS[block.label];
  if (form === undefined) throw foreignForm(block.label);
  const key = isEncrypted(block) ? openEncrypted(block, form, required(password)) : openPlain(block.der, form);
  refuseWeakKey(key);
  refuseTornPair(key);
  return {
    key,
    pkcs8: SecretBytes.own(key.export({ type: 'pkcs8', format: 'der' })),
    spki: spkiFingerprint(key),
    algorithm: keyAlgorithm(key),
  };
}

/**
 * The fingerprint of the key in PKCS#8 DER octets, as a key store gives them back; the octets stay the caller's.
 * @throws KeyturnError `key_unreadable`
 */
export function spkiOfPkcs8(octets: SecretBytes): string {
  return spkiFingerprint(openPlain(octets.bytes, 'pkcs8'));
}

/** True when the block can't be read without a password. */
export function isEncrypted(block: PemBlock): boolean {
  return block.label === 'ENCRYPTED PRIVATE KEY' || block.headers.has('DEK-Info');
}

function openPlain(der: Buffer, form: Form): KeyObject {
  try {
    return createPrivateKey({ key: der, format: 'der', type: form });
  } catch {
    // The library's error is not kept as a cause: what it says about a key is not ours to judge.
    throw new KeyturnError('key_unreadable', `The private key is not valid ${form.toUpperCase()}.`, {
      fix: 'Fetch the key file again from the partner, and copy it whole.',
    });
  }
}

function openEncrypted(block: PemBlock, form: Form, password: Buffer): KeyObject {
  const decrypt = block.headers.has('DEK-Info') ? openDekInfo : openPkcs8;
  try {
    return decrypt(block, form, password);
  } catch (error) {
    if (isKeyturnError(error) && error.code !== 'certificate_unreadable') throw error;
    throw failureOf(error);
  }
}

function openPkcs8(block: PemBlock, _form: Form, password: Buffer): KeyObject {
  const plain = decryptPbes1Des(readEncryptedPkcs8(block.der), password);
  if (plain !== null) return openAndWipe(plain, 'pkcs8');
  return createPrivateKey({ key: block.der, format: 'der', type: 'pkcs8', passphrase: password });
}

function openDekInfo(block: PemBlock, form: Form, password: Buffer): KeyObject {
  const [, cipher, vector] = DEK_INFO.exec(block.headers.get('DEK-Info') ?? '') ?? [];
  if (cipher === undefined || vector === undefined) {
    throw new KeyturnError('key_unreadable', 'The DEK-Info line of the encrypted key is not well-formed.');
  }
  if (cipher === 'DES-CBC') {
    return openAndWipe(decryptDekInfoDes(Buffer.from(vector, 'hex'), block.der, password), form);
  }
  const head = `-----BEGIN ${block.label}-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: ${cipher},${vector}\n\n`;
  const pem = Buffer.concat([
    Buffer.from(head),
    encodeBase64Lines(block.der),
    Buffer.from(`-----END ${block.label}-----\n`),
  ]);
  return createPrivateKey({ key: pem, format: 'pem', passphrase: password });
}

function openAndWipe(plain: Buffer, form: Form): KeyObject {
  try {
    return createPrivateKey({ key: plain, format: 'der', type: form });
  } finally {
    plain.fill(0);
  }
}

/** A wrong password shows as wrong padding, or, once in 256, as a structure that makes no sense. */
function failureOf(error: unknown): KeyturnError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ERR_OSSL_EVP_UNSUPPORTED' || code === 'ERR_OSSL_PEM_UNSUPPORTED_ENCRYPTION') {
    return new KeyturnError('key_unreadable', 'The private key is encrypted in a way that is not read here.', {
      fix: 'Encrypt it anew with a version of OpenSSL that reads it: openssl pkcs8 -topk8 -in KEY.pem -out NEW.pem',
    });
  }
  return new KeyturnError('key_password_wrong', 'The password does not open the private key, or the file is damaged.', {
    fix: 'Try the password again; it is the one that was set when the key was made.',
  });
}

function required(password: SecretBytes | undefined): Buffer {
  if (password !== undefined) return password.bytes;
  throw new KeyturnError('key_password_required', 'The private key is encrypted.', {
    fix: 'Give its password: --password-file FILE; at a terminal it is asked for.',
  });
}

/** A file may join one key's public half to another's private half; only a signature tells. */
function refuseTornPair(key: KeyObject): void {
  const probe = Buffer.from('keyturn: do both halves belong together?');
  const digest = key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  try {
    if (verify(digest, probe, createPublicKey(key), sign(digest, probe, key))) return;
  } catch {
    // Told below, like a signature that does not verify.
  }
  throw new KeyturnError('key_unreadable', 'The parts of the private key do not belong together.', {
    fix: 'Fetch the key file again from the partner.',
  });
}

function foreignForm(label: string): KeyturnError {
  return new KeyturnError('key_unreadable', `A private key in the form "${label}" is not read here.`, {
    fix: 'Convert it to PKCS#8: openssl pkcs8 -topk8 -nocrypt -in KEY.pem -out NEW.pem',
  });
}
