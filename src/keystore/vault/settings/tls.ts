import { KeyturnError } from '../../../core/errors.ts';
import type { VaultTlsOptions } from '../options.ts';
import { configuredOr, type Environment, type Sourced, truth, variable } from './environment.ts';

/** A PEM text, or where it lies. */
export type PemSource = Sourced<{ readonly pem: string } | { readonly file: string } | { readonly folder: string }>;

export interface VaultTlsSettings {
  /** Null: the roots that Node knows. */
  readonly ca: PemSource | null;
  readonly clientCertificate: PemSource | null;
  readonly clientKey: PemSource | null;
  readonly serverName: Sourced<string> | null;
  readonly skipVerify: Sourced<boolean>;
}

/** @throws KeyturnError `config_invalid`. */
export function tlsSettings(options: VaultTlsOptions, environment: Environment): VaultTlsSettings {
  const clientCertificate = pemSource(options.clientCertificateFile, environment, 'CLIENT_CERT');
  const clientKey = pemSource(options.clientKeyFile, environment, 'CLIENT_KEY');
  if ((clientCertificate === null) !== (clientKey === null)) {
    const source = (clientCertificate ?? clientKey)?.source ?? '';
    throw new KeyturnError('config_invalid', `Of client certificate and key only one is set (by ${source}).`, {
      fix: 'Set both: BAO_CLIENT_CERT and BAO_CLIENT_KEY, or tls.certificate and tls.key in keyturn.yaml.',
    });
  }
  return {
    ca: authorities(options, environment),
    clientCertificate,
    clientKey,
    serverName: configuredOr(options.serverName, environment, 'TLS_SERVER_NAME'),
    skipVerify: skipVerify(options.allowSkipVerify ?? false, environment),
  };
}

/** As Vault's client: the bytes, else the file, else the folder; what is configured before all of them. */
function authorities(options: VaultTlsOptions, environment: Environment): PemSource | null {
  if (options.caFile !== undefined) return { value: { file: options.caFile }, source: 'configuration' };
  if (options.caFolder !== undefined) return { value: { folder: options.caFolder }, source: 'configuration' };
  const file = pemSource(undefined, environment, 'CACERT');
  if (file !== null) return file;
  const folder = variable(environment, 'CAPATH');
  return folder === null ? null : { value: { folder: folder.value }, source: folder.source };
}

/** `NAME_BYTES` holds the PEM itself and comes before `NAME`, which holds its path. */
function pemSource(configured: string | undefined, environment: Environment, name: string): PemSource | null {
  if (configured !== undefined) return { value: { file: configured }, source: 'configuration' };
  const octets = variable(environment, `${name}_BYTES`);
  if (octets !== null) return { value: { pem: octets.value }, source: octets.source };
  const file = variable(environment, name);
  return file === null ? null : { value: { file: file.value }, source: file.source };
}

function skipVerify(allowed: boolean, environment: Environment): Sourced<boolean> {
  const set = variable(environment, 'SKIP_VERIFY');
  if (set === null || !truth(set)) return { value: false, source: set?.source ?? 'default' };
  if (allowed) return { value: true, source: set.source };
  throw new KeyturnError('config_invalid', `${set.source} asks for a Vault whose certificate nobody checks.`, {
    fix: `Unset ${set.source} and name the CA: tls.ca in keyturn.yaml, BAO_CACERT or VAULT_CACERT.`,
  });
}
