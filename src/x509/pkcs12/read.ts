import { isKeyturnError } from '../../core/errors.ts';
import type { SecretBytes } from '../../core/secret-bytes.ts';
import { readBer } from './ber.ts';
import { checkMac } from './mac.ts';
import { count, explicit, identifier, octets, sequence } from './parts.ts';
import { type Password, passwordsToTry } from './password.ts';
import { Reading } from './reading.ts';
import { passwordRequired, rejected, unsupported, wrongPassword } from './rejected.ts';
import { DATA, type Pkcs12Content, readSafes } from './safes.ts';

/** Fifty times a usual file; a trust store of all public authorities is refused. */
const MAX_BYTES = 256 * 1024;

/** SEQUENCE of a short, long or indefinite length, then the version: INTEGER 3. No certificate and no key starts so. */
const START = /^30(?:[0-7].|80|81..|82.{4}|83.{6}|84.{8})020103/;

/** True for the start of a PKCS#12 file. */
export function looksLikePkcs12(bytes: Buffer): boolean {
  return START.test(bytes.toString('hex', 0, 9));
}

/**
 * Opens a PKCS#12 file (RFC 7292), which may come from an attacker, with a password; an empty one or none is tried as
 * well. Read are PBES2 (AES, triple DES) and what older programs wrote (triple DES, RC2), with a MAC or without one.
 * Everything stays in Buffers that are wiped, but for what is encrypted with RC2: see encryption/rc2.ts. Keys and
 * certificates come out as they are, undecoded, unjudged and in the order of the file. The file stays the caller's.
 * @throws KeyturnError `key_password_required`, `key_password_wrong`; `archive_rejected` for a broken or hostile
 * structure; `key_unreadable` for a protection that is not read here.
 */
export async function readPkcs12(bytes: Buffer, password?: SecretBytes): Promise<Pkcs12Content> {
  if (bytes.length > MAX_BYTES) throw rejected(`it is larger than ${MAX_BYTES} bytes`);
  const candidates = passwordsToTry(password);
  try {
    for (const candidate of candidates) {
      const content = await tryPassword(bytes, candidate);
      if (content !== null) return content;
    }
  } finally {
    for (const candidate of candidates) candidate[Symbol.dispose]();
  }
  throw password === undefined || password.length === 0 ? passwordRequired() : wrongPassword();
}

/** Null when the password is another. */
async function tryPassword(bytes: Buffer, password: Password): Promise<Pkcs12Content | null> {
  using reading = new Reading(password);
  const found: Pkcs12Content = { keys: [], certificates: [] };
  try {
    await readFile(bytes, reading, found);
    return found;
  } catch (error) {
    for (const key of found.keys) key.dispose();
    if (isKeyturnError(error, 'key_password_wrong')) return null;
    throw error;
  }
}

/** RFC 7292 section 4: SEQUENCE { version, authSafe, macData OPTIONAL }. */
async function readFile(bytes: Buffer, reading: Reading, found: Pkcs12Content): Promise<void> {
  const [version, authSafe, macData] = sequence(readBer(bytes, reading));
  if (count(version) !== 3) throw unsupported('is of another version than 3');
  const [type, content] = sequence(authSafe);
  if (identifier(type) !== DATA) throw unsupported('is signed with a key, not protected with a password');
  const safes = octets(explicit(content), reading);
  if (macData !== undefined) await checkMac(macData, safes, reading);
  await readSafes(readBer(safes, reading), reading, found);
}
