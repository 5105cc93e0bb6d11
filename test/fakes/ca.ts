import 'reflect-metadata';
import { createPrivateKey, type KeyObject, randomBytes, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

type CryptoKeyPair = webcrypto.CryptoKeyPair;

x509.cryptoProvider.set(webcrypto as never);

export type KeyKind = 'rsa-1024' | 'rsa-2048' | 'ec-p256' | 'ec-p384' | 'ed25519';

const ALGORITHMS = {
  'rsa-1024': rsa(1024),
  'rsa-2048': rsa(2048),
  'ec-p256': { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  'ec-p384': { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
  ed25519: { name: 'Ed25519' },
} as const;

function rsa(modulusLength: number) {
  return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', publicExponent: new Uint8Array([1, 0, 1]), modulusLength };
}

export interface IssueOptions {
  readonly commonName?: string;
  readonly key?: KeyKind;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** Extended key usages. Default: clientAuth for `client`, serverAuth for `server`. */
  readonly usages?: readonly ('clientAuth' | 'serverAuth')[];
  readonly dns?: readonly string[];
  readonly ip?: readonly string[];
  readonly uri?: readonly string[];
}

export interface Certified {
  readonly certificate: x509.X509Certificate;
  /** PEM, LF. */
  readonly certificatePem: string;
  /** Lower-case hex without leading zeros. */
  readonly serial: string;
}

/** A certificate with its private key, in the forms that tests need. */
export interface Issued extends Certified {
  readonly privateKey: KeyObject;
  /** PKCS#8 PEM, LF. */
  readonly keyPem: string;
}

/** A certificate authority that lives in memory. Keys are made at run time. */
export class TestCa {
  readonly #keys: CryptoKeyPair;
  readonly #kind: KeyKind;
  readonly certificate: x509.X509Certificate;
  readonly #revoked: { serial: string; at: Date }[] = [];
  readonly #parent: TestCa | null;

  private constructor(keys: CryptoKeyPair, kind: KeyKind, certificate: x509.X509Certificate, parent: TestCa | null) {
    this.#keys = keys;
    this.#kind = kind;
    this.certificate = certificate;
    this.#parent = parent;
  }

  static async create(commonName = 'Test Root CA', key: KeyKind = 'ec-p256'): Promise<TestCa> {
    const keys = await generate(key);
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      name: `CN=${commonName}`,
      keys,
      serialNumber: newSerial(),
      notBefore: daysFromNow(-1),
      notAfter: daysFromNow(3650),
      signingAlgorithm: ALGORITHMS[key],
      extensions: await caExtensions(keys),
    });
    return new TestCa(keys, key, certificate, null);
  }

  /** An intermediate under this authority. */
  async child(commonName = 'Test Intermediate CA', key: KeyKind = 'ec-p256'): Promise<TestCa> {
    const keys = await generate(key);
    const certificate = await x509.X509CertificateGenerator.create({
      subject: `CN=${commonName}`,
      issuer: this.certificate.subject,
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      signingAlgorithm: ALGORITHMS[this.#kind],
      serialNumber: newSerial(),
      notBefore: daysFromNow(-1),
      notAfter: daysFromNow(1825),
      extensions: await caExtensions(keys),
    });
    return new TestCa(keys, key, certificate, this);
  }

  get certificatePem(): string {
    return pem(this.certificate);
  }

  /** This authority first, root last. */
  get chainPem(): string {
    return this.certificatePem + (this.#parent?.chainPem ?? '');
  }

  client(options: IssueOptions = {}): Promise<Issued> {
    return this.issue({ commonName: 'test client', usages: ['clientAuth'], ...options });
  }

  server(options: IssueOptions = {}): Promise<Issued> {
    return this.issue({
      commonName: 'localhost',
      usages: ['serverAuth'],
      dns: ['localhost'],
      ip: ['127.0.0.1'],
      ...options,
    });
  }

  async issue(options: IssueOptions): Promise<Issued> {
    const keys = await generate(options.key ?? 'ec-p256');
    const certified = await this.#certify(`CN=${options.commonName ?? 'test'}`, keys.publicKey, options);
    const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
    const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    return { ...certified, privateKey, keyPem: privateKey.export({ format: 'pem', type: 'pkcs8' }) as string };
  }

  /** A client's certificate for the key of a request, whose names it takes over unless other ones are given. */
  async sign(requestPem: string, other: IssueOptions = {}): Promise<Certified> {
    const request = new x509.Pkcs10CertificateRequest(requestPem);
    const publicKey = await request.publicKey.export();
    const subject = other.commonName === undefined ? request.subject : `CN=${other.commonName}`;
    return this.#certify(subject, publicKey, { usages: ['clientAuth'], ...other });
  }

  async #certify(subject: string, publicKey: webcrypto.CryptoKey, options: IssueOptions): Promise<Certified> {
    const serial = newSerial();
    const certificate = await x509.X509CertificateGenerator.create({
      subject,
      issuer: this.certificate.subject,
      publicKey,
      signingKey: this.#keys.privateKey,
      signingAlgorithm: ALGORITHMS[this.#kind],
      serialNumber: serial,
      notBefore: options.notBefore ?? daysFromNow(-1),
      notAfter: options.notAfter ?? daysFromNow(365),
      extensions: await leafExtensions(publicKey, this.#keys.publicKey, options),
    });
    return { certificate, certificatePem: pem(certificate), serial: serial.replace(/^0+/, '') };
  }

  revoke(issued: Certified): void {
    this.#revoked.push({ serial: issued.certificate.serialNumber, at: new Date() });
  }

  /** The current CRL as PEM, with the label that OpenSSL and Node expect (`X509 CRL`). */
  async crlPem(): Promise<string> {
    const crl = await x509.X509CrlGenerator.create({
      issuer: this.certificate.subject,
      thisUpdate: daysFromNow(-1),
      nextUpdate: daysFromNow(7),
      signingKey: this.#keys.privateKey,
      signingAlgorithm: ALGORITHMS[this.#kind],
      entries: this.#revoked.map(({ serial, at }) => ({ serialNumber: serial, revocationDate: at })),
    });
    return wrapPem('X509 CRL', Buffer.from(crl.rawData));
  }
}

export function daysFromNow(days: number): Date {
  return new Date(Math.floor(Date.now() / 1000) * 1000 + days * 86_400_000);
}

export function wrapPem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

function pem(certificate: x509.X509Certificate): string {
  return wrapPem('CERTIFICATE', Buffer.from(certificate.rawData));
}

/** Positive, 16 octets, first one never zero. */
function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes.toString('hex');
}

async function generate(kind: KeyKind): Promise<CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(ALGORITHMS[kind], true, ['sign', 'verify'])) as CryptoKeyPair;
}

async function caExtensions(keys: CryptoKeyPair): Promise<x509.Extension[]> {
  return [
    new x509.BasicConstraintsExtension(true, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
  ];
}

async function leafExtensions(
  own: webcrypto.CryptoKey,
  issuer: webcrypto.CryptoKey,
  options: IssueOptions,
): Promise<x509.Extension[]> {
  const names: x509.JsonGeneralNames = [
    ...(options.dns ?? []).map((value) => ({ type: 'dns' as const, value })),
    ...(options.ip ?? []).map((value) => ({ type: 'ip' as const, value })),
    ...(options.uri ?? []).map((value) => ({ type: 'url' as const, value })),
  ];
  const usages = (options.usages ?? []).map((usage) => x509.ExtendedKeyUsage[usage]);
  return [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    ...(usages.length === 0 ? [] : [new x509.ExtendedKeyUsageExtension(usages)]),
    ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
    await x509.SubjectKeyIdentifierExtension.create(own),
    await x509.AuthorityKeyIdentifierExtension.create(issuer),
  ];
}
