import { webcrypto } from 'node:crypto';
import { type Certificate, readCertificate } from '../../src/x509/certificate.ts';
import { typed } from '../../src/x509/peculiar.ts';
import type { PemBlock } from '../../src/x509/pem.ts';
import { type PrivateKeyFile, readPrivateKey } from '../../src/x509/private-key.ts';

typed.cryptoProvider.set(webcrypto as never);

export const NOW = Date.UTC(2026, 10, 23, 12);
const DAY_MS = 86_400_000;

export interface Recipe {
  readonly subject?: string | typed.Name;
  readonly issuer?: Made;
  /** Makes an authority; null leaves basicConstraints out. */
  readonly ca?: boolean | null;
  readonly pathLength?: number;
  readonly usage?: number | null;
  /** Object identifiers; null leaves the extension out. */
  readonly purposes?: readonly string[] | null;
  /** Days from NOW. */
  readonly from?: number;
  readonly to?: number;
  readonly hash?: 'SHA-1' | 'SHA-256';
  readonly serial?: string;
  readonly extra?: readonly typed.Extension[];
  /** The key pair of another certificate, as at a renewal without a new key. */
  readonly keys?: webcrypto.CryptoKeyPair;
  readonly rsaBits?: number;
}

export interface Made {
  readonly certificate: Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
  readonly der: Buffer;
  readonly key: PrivateKeyFile | null;
  /** PKCS#8 DER. */
  readonly pkcs8: Buffer;
}

let counter = 0x1000;

/** A certificate of any make, an EC P-256 key as a rule; sound unless the recipe spoils it. */
export async function make(recipe: Recipe = {}): Promise<Made> {
  const keys = recipe.keys ?? (await newKeys(recipe.rsaBits));
  const signer = recipe.issuer ?? null;
  const certificate = await typed.X509CertificateGenerator.create({
    subject: recipe.subject ?? 'CN=client',
    issuer: signer === null ? (recipe.subject ?? 'CN=client') : nameOf(signer),
    publicKey: keys.publicKey,
    signingKey: (signer?.keys ?? keys).privateKey,
    signingAlgorithm: { name: algorithmName(signer?.keys ?? keys), hash: recipe.hash ?? 'SHA-256' },
    serialNumber: recipe.serial ?? (counter++).toString(16),
    notBefore: new Date(NOW + (recipe.from ?? -1) * DAY_MS),
    notAfter: new Date(NOW + (recipe.to ?? 365) * DAY_MS),
    extensions: extensionsOf(recipe),
  });
  const der = Buffer.from(certificate.rawData);
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const block: PemBlock = { label: 'PRIVATE KEY', headers: new Map(), der: Buffer.from(pkcs8) };
  const key = (recipe.rsaBits ?? 2048) < 2048 ? null : readPrivateKey(block);
  return { certificate: readCertificate(der), keys, der, key, pkcs8 };
}

/** A root, an authority below it. */
export function makeCa(recipe: Recipe = {}): Promise<Made> {
  return make({ subject: 'CN=Root', ca: true, ...recipe });
}

function nameOf(made: Made): string {
  return new typed.X509Certificate(made.der).subject;
}

function algorithmName(keys: webcrypto.CryptoKeyPair): string {
  return keys.privateKey.algorithm.name;
}

function newKeys(rsaBits?: number): Promise<webcrypto.CryptoKeyPair> {
  const rsa = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', publicExponent: new Uint8Array([1, 0, 1]) };
  const algorithm = rsaBits === undefined ? { name: 'ECDSA', namedCurve: 'P-256' } : { ...rsa, modulusLength: rsaBits };
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']) as Promise<webcrypto.CryptoKeyPair>;
}

function extensionsOf(recipe: Recipe): typed.Extension[] {
  const { ca = false, pathLength, usage, purposes, extra = [] } = recipe;
  const flags = usage === undefined ? (ca === true ? FLAGS.keyCertSign : FLAGS.digitalSignature) : usage;
  const eku = purposes === undefined ? (ca === true ? null : [PURPOSES.clientAuth]) : purposes;
  return [
    ...(ca === null ? [] : [new typed.BasicConstraintsExtension(ca, pathLength, true)]),
    ...(flags === null ? [] : [new typed.KeyUsagesExtension(flags, true)]),
    ...(eku === null ? [] : [new typed.ExtendedKeyUsageExtension([...eku])]),
    ...extra,
  ];
}

export const FLAGS = typed.KeyUsageFlags;
export const PURPOSES = { clientAuth: '1.3.6.1.5.5.7.3.2', serverAuth: '1.3.6.1.5.5.7.3.1' } as const;
