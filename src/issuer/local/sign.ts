import { type KeyObject, randomBytes } from 'node:crypto';
import { typed } from '../../x509/peculiar.ts';
import { wrapPem } from '../../x509/pem.ts';
import type { ReadRequest } from '../../x509/request/read-request.ts';
import { signingKeys, verifyingKey } from '../../x509/request/signing.ts';

const CA_YEARS = 10;
/** Certificates begin a little in the past, since clocks elsewhere may be behind. */
const BACKDATED_MS = 60_000;

/** An authority's own certificate: path length 0 and clientAuth alone, so that nothing below signs or poses as a server. */
export async function signAuthority(key: KeyObject, commonName: string, now: number): Promise<string> {
  const { algorithm, privateKey, publicKey } = signingKeys(key);
  const name = new typed.Name([{ CN: [commonName] }]);
  const certificate = await typed.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: name,
    issuer: name,
    notBefore: wholeSecond(now - BACKDATED_MS),
    notAfter: yearsLater(now),
    publicKey,
    signingKey: privateKey,
    signingAlgorithm: algorithm,
    extensions: [
      new typed.BasicConstraintsExtension(true, 0, true),
      new typed.KeyUsagesExtension(typed.KeyUsageFlags.keyCertSign | typed.KeyUsageFlags.cRLSign, true),
      new typed.ExtendedKeyUsageExtension([typed.ExtendedKeyUsage.clientAuth]),
      await typed.SubjectKeyIdentifierExtension.create(publicKey),
    ],
  });
  return wrapPem('CERTIFICATE', Buffer.from(certificate.rawData));
}

export interface Signing {
  readonly key: KeyObject;
  /** PEM of the authority's own certificate. */
  readonly authority: string;
}

export interface Term {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly seconds: number;
  /** For the extension cRLDistributionPoints; null for none. */
  readonly listUrl: string | null;
}

/** A TLS client's certificate: name and alternative names of the request, and our own extensions. */
export async function signClient(
  { key, authority }: Signing,
  request: ReadRequest,
  { now, seconds, listUrl }: Term,
): Promise<string> {
  const issuer = new typed.X509Certificate(authority);
  const { algorithm, privateKey } = signingKeys(key);
  const publicKey = verifyingKey(request.publicKey);
  const certificate = await typed.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: request.name,
    issuer: issuer.subjectName,
    notBefore: wholeSecond(Math.max(now - BACKDATED_MS, issuer.notBefore.getTime())),
    // RFC 5280 section 4.1.2.5: notAfter is inclusive and has whole seconds.
    notAfter: wholeSecond(Math.min(now + seconds * 1000, issuer.notAfter.getTime())),
    publicKey,
    signingKey: privateKey,
    signingAlgorithm: algorithm,
    extensions: [
      new typed.BasicConstraintsExtension(false, undefined, true),
      new typed.KeyUsagesExtension(typed.KeyUsageFlags.digitalSignature, true),
      new typed.ExtendedKeyUsageExtension([typed.ExtendedKeyUsage.clientAuth]),
      ...(request.alternativeNames === null ? [] : [request.alternativeNames]),
      ...(listUrl === null ? [] : [new typed.CRLDistributionPointsExtension([listUrl])]),
      await typed.SubjectKeyIdentifierExtension.create(publicKey),
      await typed.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return wrapPem('CERTIFICATE', Buffer.from(certificate.rawData));
}

/** RFC 5280 section 4.1.2.2: positive, at most 20 octets; 16 octets, of which 126 bits are drawn. */
function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes.toString('hex');
}

export function wholeSecond(epochMs: number): Date {
  return new Date(Math.floor(epochMs / 1000) * 1000);
}

function yearsLater(epochMs: number): Date {
  const date = wholeSecond(epochMs);
  date.setUTCFullYear(date.getUTCFullYear() + CA_YEARS);
  return date;
}
