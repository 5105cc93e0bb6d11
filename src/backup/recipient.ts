import { crc32 } from 'node:zlib';
import { decodeBase64url, encodeBase64url } from '../core/encoding/base64url.ts';
import { KeyturnError } from '../core/errors.ts';

const RECIPIENT = /^(ktbackup_([A-Za-z0-9_-]{43}))_([0-9a-f]{8})$/;
const KEY_OCTETS = 32;

/** `ktbackup_<public key, base64url>_<CRC-32 of what stands before, hex>`: the checksum finds slips of the pen. */
export function formatRecipient(publicKey: Buffer): string {
  const body = `ktbackup_${encodeBase64url(publicKey)}`;
  return `${body}_${checksum(body)}`;
}

/**
 * The raw X25519 public key.
 * @throws KeyturnError `invalid_input` for any other text than the one that {@link formatRecipient} makes.
 */
export function parseRecipient(text: string): Buffer {
  const [, body = '', encoded = '', check] = RECIPIENT.exec(text) ?? [];
  const key = decodeBase64url(encoded, KEY_OCTETS);
  if (key !== null && checksum(body) === check) return key;
  throw new KeyturnError('invalid_input', 'That is not a recipient of backups.', {
    fix: 'Copy the whole line that keyturn backup keygen printed: ktbackup_…',
  });
}

function checksum(body: string): string {
  return crc32(Buffer.from(body, 'ascii')).toString(16).padStart(8, '0');
}
