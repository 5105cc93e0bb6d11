import { X509Certificate } from 'node:crypto';
import { isKeyturnError, KeyturnError } from '../core/errors.ts';
import { checkCertificateShape } from './encoding/certificate-shape.ts';
import { distinguishedName } from './encoding/distinguished-name.ts';
import { sha256Hex, spkiFingerprint } from './fingerprint.ts';
import { keyAlgorithm } from './key-strength.ts';
import { typed } from './peculiar.ts';
import { wrapPem } from './pem.ts';

/** A certificate as two parsers agree to read it. Public data. */
export interface Certificate {
  /** LF, 64 characters a line. */
  readonly pem: string;
  readonly der: Buffer;
  /** RFC 4514, one line, most specific part first. */
  readonly subject: string;
  readonly issuer: string;
  /** Lower-case hex, no leading zeros. */
  readonly serial: string;
  /** Milliseconds since the epoch, both inclusive (RFC 5280 section 4.1.2.5). */
  readonly notBefore: number;
  readonly notAfter: number;
  /** SHA-256 of the DER SubjectPublicKeyInfo, lower-case hex. */
  readonly spki: string;
  /** SHA-256 of the whole certificate's DER, lower-case hex. */
  readonly fingerprint: string;
  /** May sign certificates: basicConstraints says CA, and keyUsage, where there is one, keyCertSign. */
  readonly isCa: boolean;
  /** How many intermediate authorities may stand below this one; null for any number. */
  readonly pathLength: number | null;
  /** May be shown by a TLS client: no extended key usage at all counts as yes, see `hasEku`. */
  readonly clientAuth: boolean;
  /** Key usage and extended key usage as they stand there, for people. */
  readonly usage: string;
  readonly serverAuth: boolean;
  readonly hasEku: boolean;
  /** Object identifiers of critical extensions that no check here takes into account. */
  readonly unknownCritical: readonly string[];
  /** Of the key: `RSA-2048`, `EC P-256`, `Ed25519`, … */
  readonly algorithm: string;
  /** Object identifier of the algorithm that the issuer signed with. */
  readonly signatureAlgorithm: string;
  /** `SHA-256`, …; null where the algorithm has none of its own choice (Ed25519) or is not known here. */
  readonly signatureHash: string | null;
  readonly raw: X509Certificate;
}

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';

/** Read here, or (names, policies, revocation) without a bearing on whether a chain of ours holds together. */
const KNOWN_EXTENSIONS = new Set([
  '2.5.29.14', // subjectKeyIdentifier
  '2.5.29.15', // keyUsage
  '2.5.29.17', // subjectAltName
  '2.5.29.19', // basicConstraints
  '2.5.29.30', // nameConstraints
  '2.5.29.31', // cRLDistributionPoints
  '2.5.29.32', // certificatePolicies
  '2.5.29.33', // policyMappings
  '2.5.29.35', // authorityKeyIdentifier
  '2.5.29.36', // policyConstraints
  '2.5.29.37', // extKeyUsage
  '2.5.29.54', // inhibitAnyPolicy
]);

/**
 * Reads one DER certificate, which may come from an attacker, with node:crypto and with a second parser; where they
 * would tell different stories about it, it is refused. No URL in it is ever followed.
 * @throws KeyturnError `certificate_unreadable`, `payload_too_large`
 */
export function readCertificate(der: Buffer): Certificate {
  try {
    checkCertificateShape(der);
    const raw = new X509Certificate(der);
    const second = new typed.X509Certificate(der);
    refuseDisagreement(der, raw, second);
    return { ...identity(raw, second), ...usage(second) };
  } catch (error) {
    if (isKeyturnError(error)) throw error;
    throw new KeyturnError('certificate_unreadable', 'The data is not an X.509 certificate that can be read.', {
      fix: 'Fetch the certificate again from the partner, and copy it whole.',
    });
  }
}

function identity(raw: X509Certificate, second: typed.X509Certificate) {
  return {
    pem: wrapPem('CERTIFICATE', raw.raw),
    der: raw.raw,
    subject: distinguishedName(second.subjectName.toJSON()),
    issuer: distinguishedName(second.issuerName.toJSON()),
    serial: shortHex(raw.serialNumber),
    notBefore: raw.validFromDate.getTime(),
    notAfter: raw.validToDate.getTime(),
    spki: spkiFingerprint(raw.publicKey),
    fingerprint: sha256Hex(raw.raw),
    algorithm: keyAlgorithm(raw.publicKey),
    signatureAlgorithm: raw.signatureAlgorithmOid ?? 'unknown',
    signatureHash: signatureHash(second),
    raw,
  };
}

function signatureHash(certificate: typed.X509Certificate): string | null {
  const { signatureAlgorithm } = certificate;
  return 'hash' in signatureAlgorithm ? signatureAlgorithm.hash.name : null;
}

/** A certificate may list as many purposes as it likes. */
const MAX_SHOWN = 8;

const PURPOSE_NAMES: Readonly<Record<string, string>> = {
  [SERVER_AUTH]: 'serverAuth',
  [CLIENT_AUTH]: 'clientAuth',
  '1.3.6.1.5.5.7.3.3': 'codeSigning',
  '1.3.6.1.5.5.7.3.4': 'emailProtection',
  '2.5.29.37.0': 'anyExtendedKeyUsage',
};

/** RFC 5280 section 4.2.1.12; an object identifier where it has no name here. */
function purposeName(purpose: string): string {
  return PURPOSE_NAMES[purpose] ?? purpose;
}

/** RFC 5280 section 4.2.1.3. */
function flagNames(flags: number | undefined): string {
  if (flags === undefined) return 'any';
  const names = Object.entries(typed.KeyUsageFlags).filter(
    ([, flag]) => typeof flag === 'number' && (flags & flag) !== 0,
  );
  return names.map(([name]) => name).join(', ') || 'none';
}

function usage(certificate: typed.X509Certificate) {
  const constraints = certificate.getExtension(typed.BasicConstraintsExtension);
  const flags = certificate.getExtension(typed.KeyUsagesExtension)?.usages;
  const purposes = certificate.getExtension(typed.ExtendedKeyUsageExtension)?.usages.map(String);
  const allows = (purpose: string) => purposes === undefined || purposes.includes(purpose);
  const mayUse = (flag: number) => flags === undefined || (flags & flag) !== 0;
  return {
    // RFC 5280 section 6.1.4 (k) to (n).
    isCa: constraints?.ca === true && mayUse(typed.KeyUsageFlags.keyCertSign),
    pathLength: constraints?.pathLength ?? null,
    // RFC 5280 section 4.2.1.12: consistent with clientAuth are digitalSignature and keyAgreement.
    clientAuth: allows(CLIENT_AUTH) && mayUse(typed.KeyUsageFlags.digitalSignature | typed.KeyUsageFlags.keyAgreement),
    serverAuth: allows(SERVER_AUTH),
    hasEku: purposes !== undefined,
    usage: `extended key usage ${purposes?.slice(0, MAX_SHOWN).map(purposeName).join(', ') ?? 'any'}; key usage ${flagNames(flags)}`,
    unknownCritical: certificate.extensions
      .filter(({ type, critical }) => critical && !KNOWN_EXTENSIONS.has(type))
      .map(({ type }) => type),
  };
}

/** Attacks live where two parsers differ: everything that a decision rests on must read the same in both. */
function refuseDisagreement(der: Buffer, raw: X509Certificate, second: typed.X509Certificate): void {
  const agree = {
    content: raw.raw.equals(der) && Buffer.from(second.rawData).equals(der),
    serial: shortHex(raw.serialNumber) === shortHex(second.serialNumber),
    validity:
      raw.validFromDate.getTime() === second.notBefore.getTime() &&
      raw.validToDate.getTime() === second.notAfter.getTime(),
    'public key': spkiFingerprint(raw.publicKey) === sha256Hex(Buffer.from(second.publicKey.rawData)),
    'key usage': purposesOf(raw.keyUsage) === purposesOf(second.getExtension(typed.ExtendedKeyUsageExtension)?.usages),
    authority: raw.ca === usage(second).isCa,
  };
  const [field] = Object.entries(agree).find(([, same]) => !same) ?? [];
  if (field === undefined) return;
  throw new KeyturnError('certificate_unreadable', `Two parsers read the certificate's ${field} differently.`, {
    fix: 'Ask the partner for a certificate that follows RFC 5280 to the letter.',
  });
}

function purposesOf(usages: readonly unknown[] | undefined): string {
  return usages === undefined ? '' : usages.map(String).toSorted().join(' ');
}

function shortHex(hex: string): string {
  return hex.toLowerCase().replace(/^0+(?=.)/, '');
}
