import { createSecretKey, type KeyObject } from 'node:crypto';
import { LabeledHkdf } from './hkdf.ts';

/** AES-256-GCM is the one in use; AES-128-GCM is here because the RFC prints vectors for it. */
export type Aead = 'aes-256-gcm' | 'aes-128-gcm';

// RFC 9180 section 7.3: identifiers and key lengths.
const AEADS = {
  'aes-128-gcm': { id: 0x0001, keyLength: 16 },
  'aes-256-gcm': { id: 0x0002, keyLength: 32 },
} as const;
export const NONCE_LENGTH = 12;
export const TAG_LENGTH = 16;

const KEM_ID = 0x0020; // DHKEM(X25519, HKDF-SHA256), RFC 9180 section 7.1
const KDF_ID = 0x0001; // HKDF-SHA256, RFC 9180 section 7.2
const SECRET_LENGTH = 32;
const MODE_BASE = Buffer.from([0x00]);
const EMPTY = Buffer.alloc(0);

// RFC 9180 section 4.1: the suite id inside the KEM.
const KEM = new LabeledHkdf(Buffer.concat([Buffer.from('KEM', 'ascii'), i2osp(KEM_ID)]));

/** What a context encrypts with. */
export interface ContextKeys {
  readonly aead: Aead;
  readonly key: KeyObject;
  /** 12 octets; no use to anyone without the key. */
  readonly baseNonce: Buffer;
}

// RFC 9180 section 4.1, ExtractAndExpand with kem_context = enc || pkRm.
/** The KEM's shared secret of 32 octets, for the caller to wipe. Wipes `dh`. */
export function sharedSecret(dh: Buffer, enc: Buffer, recipientPublicKey: Buffer): Buffer {
  const prk = KEM.extract('eae_prk', dh);
  dh.fill(0);
  const secret = KEM.expand(prk, 'shared_secret', Buffer.concat([enc, recipientPublicKey]), SECRET_LENGTH);
  prk.fill(0);
  return secret;
}

// RFC 9180 section 5.1, KeySchedule in base mode: psk and psk_id are empty. The exporter secret is not derived.
/** Wipes `shared`. */
export function keySchedule(aead: Aead, shared: Buffer, info: Buffer): ContextKeys {
  const { id, keyLength } = AEADS[aead];
  const hkdf = new LabeledHkdf(Buffer.concat([Buffer.from('HPKE', 'ascii'), i2osp(KEM_ID), i2osp(KDF_ID), i2osp(id)]));
  const context = Buffer.concat([MODE_BASE, hkdf.extract('psk_id_hash', EMPTY), hkdf.extract('info_hash', info)]);
  const secret = hkdf.extract('secret', EMPTY, shared);
  shared.fill(0);
  const rawKey = hkdf.expand(secret, 'key', context, keyLength);
  const key = createSecretKey(rawKey);
  rawKey.fill(0);
  const baseNonce = hkdf.expand(secret, 'base_nonce', context, NONCE_LENGTH);
  secret.fill(0);
  return { aead, key, baseNonce };
}

function i2osp(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}
