import 'reflect-metadata';
import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { pemOctets } from '../core/encoding/pem.ts';
import { KeyturnError } from '../core/errors.ts';
import { SecretBytes } from '../core/secret-bytes.ts';
import { subjectAlternativeNames } from './names.ts';
import type { ServerIdentity } from './server-identity.ts';

const ECDSA_P256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const CA_YEARS = 10;
const DEFAULT_LIFETIME_SECONDS = 7 * 86_400;
/** Certificates begin a little in the past, since clocks of clients may be behind. */
const BACKDATED_MS = 5 * 60_000;

/** The small authority that signs our listener's certificates, opened for signing. */
export interface ServerCa {
  readonly certificatePem: string;
  readonly privateKey: KeyObject;
}

/**
 * A new authority: EC P-256, 10 years, path length 0, serverAuth only, so that whatever it signs can neither sign
 * further nor pose as a client.
 * @returns `privateKey` as PKCS#8 DER, for the key store; the caller disposes of it.
 */
export async function createServerCa(options: {
  /** Name for people, e.g. `Keyturn CA of vault-1`. */
  readonly commonName: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}): Promise<{ readonly certificatePem: string; readonly privateKey: SecretBytes }> {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const publicKey = keys.publicKey.toCryptoKey(ECDSA_P256, true, ['verify']);
  const name = new x509.Name([{ CN: [options.commonName] }]);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: name,
    issuer: name,
    notBefore: wholeSecond(options.now - BACKDATED_MS),
    notAfter: yearsLater(options.now, CA_YEARS),
    publicKey,
    signingKey: keys.privateKey.toCryptoKey(ECDSA_P256, false, ['sign']),
    signingAlgorithm: ECDSA_P256,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
    ],
  });
  return { certificatePem: toPem(certificate), privateKey: pkcs8(keys.privateKey) };
}

/**
 * Opens an authority from its stored parts. `privateKey` (PKCS#8 DER) stays the caller's to dispose of.
 * @throws KeyturnError `key_unreadable`, `certificate_unreadable` or `key_mismatch`.
 */
export function openServerCa(certificatePem: string, privateKey: SecretBytes): ServerCa {
  const key = readKey(privateKey);
  const certificate = readCertificate(certificatePem);
  if (!certificate.checkPrivateKey(key)) {
    throw new KeyturnError('key_mismatch', "The listener CA's certificate and private key do not belong together.", {
      fix: 'Restore the certificate and the key store from one backup.',
    });
  }
  return { certificatePem, privateKey: key };
}

/**
 * A server certificate with a fresh EC P-256 key that lives in memory alone. It never outlives the authority.
 * @throws KeyturnError `invalid_input` for names that are neither DNS names nor IP addresses, or none;
 * `certificate_expired` when the authority has ended.
 */
export async function issueServerCertificate(options: {
  readonly ca: ServerCa;
  /** DNS names and IP addresses by which clients call us. */
  readonly names: readonly string[];
  /** Seconds. Default: 7 days. */
  readonly lifetimeSeconds?: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}): Promise<ServerIdentity> {
  const issuer = new x509.X509Certificate(options.ca.certificatePem);
  const notBefore = wholeSecond(Math.max(options.now - BACKDATED_MS, issuer.notBefore.getTime()));
  const notAfter = endWithin(issuer, options.now, options.lifetimeSeconds ?? DEFAULT_LIFETIME_SECONDS);
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const publicKey = keys.publicKey.toCryptoKey(ECDSA_P256, true, ['verify']);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: new x509.Name([{ CN: ['Keyturn server'] }]),
    issuer: issuer.subjectName,
    notBefore,
    notAfter,
    publicKey,
    signingKey: options.ca.privateKey.toCryptoKey(ECDSA_P256, false, ['sign']),
    signingAlgorithm: ECDSA_P256,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(subjectAlternativeNames(options.names)),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  using der = pkcs8(keys.privateKey);
  return {
    certificatePem: toPem(certificate),
    privateKeyPem: SecretBytes.own(pemOctets('PRIVATE KEY', der.bytes)),
    notBefore: notBefore.getTime(),
    notAfter: notAfter.getTime(),
  };
}

/** RFC 5280 section 4.1.2.5: notAfter is inclusive and has whole seconds. */
function endWithin(issuer: x509.X509Certificate, now: number, lifetimeSeconds: number): Date {
  if (issuer.notAfter.getTime() <= now) {
    throw new KeyturnError('certificate_expired', `The listener CA ended on ${issuer.notAfter.toISOString()}.`, {
      fix: 'Make a new CA and give its certificate to every client.',
    });
  }
  return wholeSecond(Math.min(now + lifetimeSeconds * 1000, issuer.notAfter.getTime()));
}

function pkcs8(key: KeyObject): SecretBytes {
  return SecretBytes.own(key.export({ format: 'der', type: 'pkcs8' }));
}

function readKey(octets: SecretBytes): KeyObject {
  try {
    return createPrivateKey({ key: octets.bytes, format: 'der', type: 'pkcs8' });
  } catch {
    throw new KeyturnError('key_unreadable', "The listener CA's private key cannot be read as PKCS#8.", {
      fix: 'Restore the key store from a backup.',
    });
  }
}

function readCertificate(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw new KeyturnError('certificate_unreadable', "The listener CA's certificate cannot be read as PEM.", {
      fix: 'Restore the certificate from a backup.',
    });
  }
}

/** RFC 5280 section 4.1.2.2: positive, at most 20 octets. */
function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes.toString('hex');
}

function wholeSecond(epochMs: number): Date {
  return new Date(Math.floor(epochMs / 1000) * 1000);
}

function yearsLater(epochMs: number, years: number): Date {
  const date = wholeSecond(epochMs);
  date.setUTCFullYear(date.getUTCFullYear() + years);
  return date;
}

function toPem(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem').trimEnd()}\n`;
}
