import { createHash, X509Certificate } from 'node:crypto';
import { type Issued, type KeyKind, TestCa } from '../ca.ts';

export type Environment = 'sandbox' | 'production';

export interface ClientCertificateOptions {
  /** The developer's application at the partner; `[a-z0-9_-]`, default `my_app`. */
  readonly app?: string;
  /** Default: RSA-2048. */
  readonly key?: KeyKind;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** Default: clientAuth. */
  readonly usages?: readonly ('clientAuth' | 'serverAuth')[];
}

/** A client certificate that the partner made, key included. */
export interface ClientCertificate {
  readonly app: string;
  /** Lower-case hex without leading zeros. */
  readonly serial: string;
  /** SHA-256 of the SubjectPublicKeyInfo, lower-case hex. */
  readonly spki: string;
  /** SHA-256 of the certificate's DER, lower-case hex. */
  readonly fingerprint: string;
  readonly certificatePem: string;
  /** PKCS#8 PEM. */
  readonly keyPem: string;
}

interface Entry extends ClientCertificate {
  readonly issued: Issued;
}

/**
 * The partner's CA of one environment: a root and an intermediate that live in memory. The one chain plays two roles:
 * it issues the client certificates and the certificate of the API servers.
 */
export class PartnerAuthority {
  readonly #root: TestCa;
  readonly #issuing: TestCa;
  readonly #bySerial = new Map<string, Entry>();
  readonly #revoked = new Set<string>();

  private constructor(root: TestCa, issuing: TestCa) {
    this.#root = root;
    this.#issuing = issuing;
  }

  static async create(environment: Environment, key: KeyKind): Promise<PartnerAuthority> {
    const root = await TestCa.create(`Lean ${environment} Root CA`, key);
    return new PartnerAuthority(root, await root.child(`Lean ${environment} Issuing CA`, key));
  }

  /** Intermediate first, root last. */
  get chainPem(): string {
    return this.#issuing.chainPem;
  }

  async issueClient(options: ClientCertificateOptions = {}): Promise<ClientCertificate> {
    const { app = 'my_app', key = 'rsa-2048', ...rest } = options;
    const issued = await this.#issuing.client({ commonName: app, key, ...rest });
    const certificate = new X509Certificate(issued.certificatePem);
    const entry: Entry = {
      app,
      serial: issued.serial,
      spki: sha256(certificate.publicKey.export({ type: 'spki', format: 'der' })),
      fingerprint: sha256(certificate.raw),
      certificatePem: issued.certificatePem,
      keyPem: issued.keyPem,
      issued,
    };
    this.#bySerial.set(entry.serial, entry);
    return entry;
  }

  /** A certificate for localhost and 127.0.0.1, with its intermediate behind it. */
  async issueServer(key: KeyKind): Promise<{ readonly key: string; readonly cert: string }> {
    const issued = await this.#issuing.server({ key });
    return { key: issued.keyPem, cert: issued.certificatePem + this.#issuing.certificatePem };
  }

  /** Null for a serial that was never issued. */
  find(serial: string): ClientCertificate | null {
    return this.#bySerial.get(serial.toLowerCase()) ?? null;
  }

  /** False for a serial that was never issued. Revoking twice changes nothing. */
  revoke(serial: string): boolean {
    const entry = this.#bySerial.get(serial.toLowerCase());
    if (entry === undefined) return false;
    if (!this.#revoked.has(entry.fingerprint)) this.#issuing.revoke(entry.issued);
    this.#revoked.add(entry.fingerprint);
    return true;
  }

  isRevoked(fingerprint: string): boolean {
    return this.#revoked.has(fingerprint);
  }

  /** Serials of `app` that are not revoked, oldest first. */
  live(app: string): string[] {
    return [...this.#bySerial.values()]
      .filter((entry) => entry.app === app && !this.isRevoked(entry.fingerprint))
      .map((entry) => entry.serial);
  }

  apps(): string[] {
    return [...new Set([...this.#bySerial.values()].map((entry) => entry.app))];
  }

  /** One CRL for each CA of the chain: OpenSSL refuses every client when one is missing. */
  crls(): Promise<string[]> {
    return Promise.all([this.#issuing.crlPem(), this.#root.crlPem()]);
  }
}

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
