import { createPrivateKey, type KeyObject } from 'node:crypto';
import { LabeledHkdf } from '../../src/sealed/hkdf.ts';
import { rawPublicKey, type X25519KeyPair } from '../../src/sealed/x25519.ts';

// RFC 8410 section 7: PrivateKeyInfo of an X25519 key up to the key itself.
const PKCS8_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex');

export function hex(text: string): Buffer {
  return Buffer.from(text, 'hex');
}

export function privateKeyOf(raw: Buffer): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, raw]), format: 'der', type: 'pkcs8' });
}

export function pairOf(raw: Buffer): X25519KeyPair {
  const privateKey = privateKeyOf(raw);
  return { privateKey, publicKey: rawPublicKey(privateKey) };
}

// RFC 9180 section 7.1.3, DeriveKeyPair for X25519.
export function deriveKeyPair(ikm: Buffer): X25519KeyPair {
  const kem = new LabeledHkdf(Buffer.from('KEM\x00\x20', 'latin1'));
  return pairOf(kem.expand(kem.extract('dkp_prk', ikm), 'sk', Buffer.alloc(0), 32));
}
