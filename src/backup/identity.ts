import { createPrivateKey, createSecretKey, type KeyObject } from 'node:crypto';
import { KeyturnError } from '../core/errors.ts';
import { SecretBytes } from '../core/secret-bytes.ts';
import { SEAL_OVERHEAD, seal, unseal } from '../keystore/file/key-file/aead.ts';
import {
  freshStretch,
  isAffordable,
  SALT_OCTETS,
  type StretchParameters,
  stretch,
} from '../keystore/file/key-file/stretch.ts';
import { checkNewPassphrase } from '../keystore/file/master/passphrase.ts';
import { generateX25519, rawPublicKey } from '../sealed/x25519.ts';
import { formatRecipient } from './recipient.ts';

const MAGIC = Buffer.from('KTBACKID', 'ascii');
const VERSION = 1;
const STRETCH_AT = 10;
const SALT_AT = 23;
const PUBLIC_AT = SALT_AT + SALT_OCTETS;
const PRIVATE_AT = PUBLIC_AT + 32;
const KEY_OCTETS = 32;
export const MAX_IDENTITY_OCTETS = PRIVATE_AT + KEY_OCTETS + SEAL_OVERHEAD;

// RFC 8410 section 7: PrivateKeyInfo of an X25519 key up to the key itself.
const PKCS8_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex');

export interface NewIdentity {
  /** The file's octets. */
  readonly file: SecretBytes;
  /** Public: what backups are encrypted to. */
  readonly recipient: string;
}

/**
 * A fresh key pair. With a passphrase the private half is sealed under it.
 * @throws KeyturnError `invalid_input` for a passphrase that is too short.
 */
export async function newIdentity(passphrase: SecretBytes | null): Promise<NewIdentity> {
  const { privateKey, publicKey } = generateX25519();
  const der = privateKey.export({ format: 'der', type: 'pkcs8' });
  using secret = SecretBytes.copyOf(der.subarray(PKCS8_PREFIX.length));
  der.fill(0);
  const file = await encodeIdentity(secret, publicKey, passphrase);
  return { file, recipient: formatRecipient(publicKey) };
}

async function encodeIdentity(secret: SecretBytes, publicKey: Buffer, passphrase: SecretBytes | null) {
  if (passphrase === null) {
    return SecretBytes.own(Buffer.concat([preambleOf(null, publicKey), secret.bytes]));
  }
  checkNewPassphrase(passphrase);
  const parameters = freshStretch();
  const preamble = preambleOf(parameters, publicKey);
  const sealed = seal(await keyOf(passphrase, parameters), secret, preamble);
  return SecretBytes.own(Buffer.concat([preamble, sealed]));
}

/**
 * Reads an identity file's octets. `ask` is called only where a passphrase is needed.
 * @throws KeyturnError `invalid_input` for what is no identity, `backup_identity_wrong` for a wrong passphrase.
 */
export async function openIdentity(file: Buffer, ask: () => Promise<SecretBytes>): Promise<KeyObject> {
  const known = file.length > PRIVATE_AT && file.subarray(0, MAGIC.length).equals(MAGIC);
  if (!known || file.readUInt16BE(MAGIC.length) !== VERSION) throw noIdentity('it is not one, or of another version');
  const publicKey = file.subarray(PUBLIC_AT, PRIVATE_AT);
  using secret = await secretOf(file, ask);
  const key = privateKeyOf(secret);
  if (!rawPublicKey(key).equals(publicKey)) throw noIdentity('its two halves do not belong together');
  return key;
}

async function secretOf(file: Buffer, ask: () => Promise<SecretBytes>): Promise<SecretBytes> {
  const preamble = file.subarray(0, PRIVATE_AT);
  const rest = file.subarray(PRIVATE_AT);
  const parameters = parametersOf(preamble);
  if (rest.length !== KEY_OCTETS + (parameters === null ? 0 : SEAL_OVERHEAD)) throw noIdentity('its length is wrong');
  if (parameters === null) return SecretBytes.copyOf(rest);
  using passphrase = await ask();
  const secret = unseal(await keyOf(passphrase, parameters), rest, preamble);
  if (secret !== null) return secret;
  throw new KeyturnError('backup_identity_wrong', 'The passphrase does not open the identity.', { fix: 'Try again.' });
}

function parametersOf(preamble: Buffer): StretchParameters | null {
  const kind = preamble[STRETCH_AT];
  const numbers = [11, 15, 19].map((at) => preamble.readUInt32BE(at));
  const [memoryKiB = 0, passes = 0, lanes = 0] = numbers;
  const parameters = { memoryKiB, passes, lanes, salt: preamble.subarray(SALT_AT, PUBLIC_AT) };
  const zero = preamble.subarray(STRETCH_AT, PUBLIC_AT).every((octet) => octet === 0);
  if (kind === 0 && zero) return null;
  if (kind === 1 && isAffordable(parameters)) return parameters;
  throw noIdentity('its numbers are out of bounds');
}

function preambleOf(parameters: StretchParameters | null, publicKey: Buffer): Buffer {
  const preamble = Buffer.alloc(PRIVATE_AT);
  MAGIC.copy(preamble);
  preamble.writeUInt16BE(VERSION, MAGIC.length);
  publicKey.copy(preamble, PUBLIC_AT);
  if (parameters === null) return preamble;
  preamble[STRETCH_AT] = 1;
  preamble.writeUInt32BE(parameters.memoryKiB, 11);
  preamble.writeUInt32BE(parameters.passes, 15);
  preamble.writeUInt32BE(parameters.lanes, 19);
  parameters.salt.copy(preamble, SALT_AT);
  return preamble;
}

async function keyOf(passphrase: SecretBytes, parameters: StretchParameters): Promise<KeyObject> {
  using stretched = await stretch(passphrase, parameters);
  return createSecretKey(stretched.bytes);
}

function privateKeyOf(secret: SecretBytes): KeyObject {
  const der = Buffer.concat([PKCS8_PREFIX, secret.bytes]);
  try {
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  } finally {
    der.fill(0);
  }
}

function noIdentity(what: string): KeyturnError {
  return new KeyturnError('invalid_input', `That is no identity for backups: ${what}.`, {
    fix: 'Give the file that keyturn backup keygen made.',
  });
}
