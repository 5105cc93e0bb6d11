import { SecretBytes } from '../../core/secret-bytes.ts';
import { type BerElement, readBer } from './ber.ts';
import { openEncrypted } from './encryption/open.ts';
import { explicit, identifier, octets, sequence } from './parts.ts';
import type { Reading } from './reading.ts';
import { rejected, unsupported } from './rejected.ts';

/** Object identifiers as the hex of their DER content: RFC 2315 section 14, RFC 7292 section 4.2, RFC 2985. */
export const DATA = '2a864886f70d010701';
const ENCRYPTED_DATA = '2a864886f70d010706';
const BAG = {
  key: '2a864886f70d010c0a0101',
  shroudedKey: '2a864886f70d010c0a0102',
  certificate: '2a864886f70d010c0a0103',
  safe: '2a864886f70d010c0a0106',
} as const;
const X509_CERTIFICATE = '2a864886f70d01091601';
/** `[0] IMPLICIT` before an OCTET STRING. */
const IMPLICIT = 0x80;

/** What a PKCS#12 file holds, undecoded. */
export interface Pkcs12Content {
  /** PKCS#8 DER; whoever holds them disposes them. */
  readonly keys: SecretBytes[];
  /** DER, in Buffers of their own. */
  readonly certificates: Buffer[];
}

/** Adds what an AuthenticatedSafe holds (RFC 7292 section 4.1: SEQUENCE OF ContentInfo) to `found`. */
export async function readSafes(safes: BerElement, reading: Reading, found: Pkcs12Content): Promise<void> {
  for (const info of sequence(safes)) {
    for (const bag of sequence(await openSafe(info, reading))) {
      reading.spendBag();
      await readBag(bag, reading, found);
    }
  }
}

async function openSafe(info: BerElement, reading: Reading): Promise<BerElement> {
  const [type, content] = sequence(info);
  const kind = identifier(type);
  if (kind === DATA) return readBer(octets(explicit(content), reading), reading);
  if (kind !== ENCRYPTED_DATA) throw unsupported('is encrypted for a certificate, not with a password');
  // RFC 2315 section 13: SEQUENCE { version, SEQUENCE { contentType, algorithm, [0] IMPLICIT encryptedContent } }.
  const [, encrypted] = sequence(explicit(content));
  const [inner, algorithm, data] = sequence(encrypted);
  if (identifier(inner) !== DATA) throw rejected('it is not built as RFC 7292 has it');
  return openEncrypted(algorithm, octets(data, reading, IMPLICIT), reading);
}

/** RFC 7292 section 4.2: SEQUENCE { bagId, [0] EXPLICIT bagValue, attributes OPTIONAL }; attributes are not read. */
async function readBag(bag: BerElement, reading: Reading, found: Pkcs12Content): Promise<void> {
  const [type, value] = sequence(bag);
  switch (identifier(type)) {
    case BAG.key:
      found.keys.push(SecretBytes.copyOf(explicit(value).raw));
      return;
    case BAG.shroudedKey: {
      const [algorithm, data] = sequence(explicit(value));
      const key = await openEncrypted(algorithm, octets(data, reading), reading);
      found.keys.push(SecretBytes.copyOf(key.raw));
      return;
    }
    case BAG.certificate: {
      const [form, certificate] = sequence(explicit(value));
      if (identifier(form) !== X509_CERTIFICATE) return;
      found.certificates.push(Buffer.from(octets(explicit(certificate), reading)));
      return;
    }
    case BAG.safe:
      throw unsupported('holds a safe within a safe');
    default:
      // Revocation lists and other secrets: of no use here, and no harm.
      return;
  }
}
