import { KeyturnError } from '../../core/errors.ts';
import type { VaultConnection } from '../../keystore/vault/options.ts';

export interface VaultPkiOptions extends VaultConnection {
  /** Of a PKI secrets engine. Default: `pki`. */
  readonly mount?: string;
  /** Role that signs our requests. Default: `keyturn`. */
  readonly role?: string;
  /** Most certificates that are looked through to find those of a key. Default: 10,000. */
  readonly findLimit?: number;
}

/** What the adapter asks of Vault, each with the capability that a policy grants it by. */
export interface PkiPath {
  readonly path: string;
  readonly capability: 'update' | 'read' | 'list';
}

/**
 * Paths below `/v1/`. `policies/vault/keyturn-issuer.hcl` grants exactly these, but for certificates and issuers, which
 * anybody may read.
 */
export interface PkiPaths {
  readonly sign: PkiPath;
  readonly role: PkiPath;
  readonly certificates: PkiPath;
  /** @param serial hex, by twos with hyphens between. */
  readonly certificate: (serial: string) => PkiPath;
  /** @param reference id or name of an issuer of the engine, or `default`. */
  readonly issuer: (reference: string) => PkiPath;
  readonly revoke: PkiPath;
}

/** @throws KeyturnError `config_invalid`. */
export function pkiPaths({ mount = 'pki', role = 'keyturn' }: VaultPkiOptions): PkiPaths {
  const isMount = /^[A-Za-z0-9][A-Za-z0-9._-]*(?:\/[A-Za-z0-9][A-Za-z0-9._-]*)*$/.test(mount);
  if (!isMount || !/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(role)) {
    throw new KeyturnError('config_invalid', 'That is not a mount and role of the PKI engine.', {
      fix: 'Give mount and role without slashes around them.',
    });
  }
  return {
    sign: { path: `${mount}/sign/${role}`, capability: 'update' },
    role: { path: `${mount}/roles/${role}`, capability: 'read' },
    certificates: { path: `${mount}/certs`, capability: 'list' },
    certificate: (serial) => ({ path: `${mount}/cert/${serial}`, capability: 'read' }),
    issuer: (reference) => ({ path: `${mount}/issuer/${reference}/json`, capability: 'read' }),
    revoke: { path: `${mount}/revoke`, capability: 'update' },
  };
}
