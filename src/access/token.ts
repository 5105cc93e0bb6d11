import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { decodeBase64url, encodeBase64url } from '../core/encoding/base64url.ts';
import { newId } from '../core/ids.ts';
import { SecretBytes } from '../core/secret-bytes.ts';

/**
 * An API token is `ktn_<id>_<secret>_<checksum>`: 32 hex digits, 43 characters of base64url (32 random octets), and
 * CRC-32 of all that stands before it as 8 hex digits. Prefix and checksum let a secret scanner find one in a
 * repository without a false alarm; the checksum proves nothing else.
 */
const TOKEN = /^(ktn_([0-9a-f]{32})_([A-Za-z0-9_-]{43}))_([0-9a-f]{8})$/;
const SECRET_LENGTH = 32;
const HEADER_LENGTH = 'bearer '.length + 'ktn_'.length + 32 + 1 + 43 + 1 + 8;
const NO_DIGEST = Buffer.alloc(32);

export interface NewToken {
  /** `token_<32 hex digits>`, public: the key of the token's row. */
  readonly id: string;
  /** The token's text in ASCII, to be shown once, then disposed of. */
  readonly token: SecretBytes;
  /** SHA-256 of the 32 random octets, lower-case hex: all that is stored. */
  readonly hash: string;
}

export function newToken(now: number): NewToken {
  const id = newId('token', now);
  const secret = randomBytes(SECRET_LENGTH);
  const body = Buffer.from(`ktn_${id.slice('token_'.length)}_${encodeBase64url(secret)}`, 'ascii');
  const text = Buffer.concat([body, Buffer.from(`_${checksum(body)}`, 'ascii')]);
  const hash = digest(secret).toString('hex');
  const token = SecretBytes.copyOf(text);
  for (const octets of [secret, body, text]) octets.fill(0);
  return { id, token, hash };
}

/**
 * Reads the value of an `authorization` header, which is attacker-controlled: `Bearer`, one space, a token in its one
 * canonical form. Null for anything else. The caller disposes of `secret`.
 */
export function parseToken(authorization: string | undefined): { id: string; secret: SecretBytes } | null {
  // RFC 9110 section 11.1: the scheme's name is case-insensitive.
  const isBearer = authorization?.length === HEADER_LENGTH && /^bearer /i.test(authorization);
  const parts = isBearer ? TOKEN.exec(authorization.slice('bearer '.length)) : null;
  if (parts === null) return null;
  const [, body = '', id = '', encoded = '', check] = parts;
  const secret = decodeBase64url(encoded, SECRET_LENGTH);
  if (secret === null || checksum(body) !== check) return null;
  const own = SecretBytes.copyOf(secret);
  secret.fill(0);
  return { id: `token_${id}`, secret: own };
}

/**
 * True when `secret` is the one that `hash` (lower-case hex) was made of. An unknown token (`hash` null) and a
 * malformed one (`secret` null) take the same path as a wrong one: one digest, one constant-time comparison.
 */
export function matchesHash(secret: SecretBytes | null, hash: string | null): boolean {
  const actual = digest(secret?.bytes ?? NO_DIGEST);
  const stored = hash === null ? null : Buffer.from(hash, 'hex');
  const known = secret !== null && stored?.length === NO_DIGEST.length;
  const equal = timingSafeEqual(actual, known ? stored : NO_DIGEST);
  return known && equal;
}

function digest(secret: Buffer): Buffer {
  return hash('sha256', secret, 'buffer');
}

/** A text is one of ASCII. */
function checksum(body: Buffer | string): string {
  return crc32(body).toString(16).padStart(8, '0');
}
