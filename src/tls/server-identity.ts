import type { SecretBytes } from '../core/secret-bytes.ts';

/** What a listener shows its clients. Whoever receives one disposes of the key. */
export interface ServerIdentity extends Validity {
  /** PEM, leaf first, then issuers if the clients need them. */
  readonly certificatePem: string;
  /** PEM octets, not encrypted. */
  readonly privateKeyPem: SecretBytes;
}

/** Milliseconds since the epoch; both inclusive. */
export interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Where a listener's certificate comes from. */
export interface ServerIdentitySource {
  /** For people, e.g. `own CA` or `files /etc/keyturn/tls.crt, tls.key`. */
  readonly description: string;

  /**
   * A new identity when it is time for one, null while `inForce` is still right. `inForce` is null at first, and then
   * an identity is due. Called again after a failure, never concurrently.
   * @param now milliseconds since the epoch.
   */
  due(inForce: Validity | null, now: number): Promise<ServerIdentity | null>;
}
