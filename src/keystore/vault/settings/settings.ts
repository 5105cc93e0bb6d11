import type { Egress } from '../../../core/egress/egress.ts';
import type { VaultConnection } from '../options.ts';
import { originOf, serverAddress } from './address.ts';
import { vaultEgress } from './egress.ts';
import {
  configuredOr,
  type Environment,
  goDuration,
  type Sourced,
  truth,
  variable,
  wholeNumber,
} from './environment.ts';
import { tlsSettings, type VaultTlsSettings } from './tls.ts';

/** Everything about one server, each value with its source, so that doctor can say which one won. */
export interface VaultSettings {
  readonly address: Sourced<string>;
  readonly namespace: Sourced<string> | null;
  readonly tls: VaultTlsSettings;
  /** Which of the addresses are reached through a proxy. */
  readonly egress: Egress;
  readonly timeoutMs: Sourced<number>;
  readonly maxRetries: Sourced<number>;
  readonly followTo: readonly string[];
  /** Variables that are set, that Vault's own tools heed, and that we do not. */
  readonly ignored: readonly string[];
}

const DEFAULT_TIMEOUT_MS = 2_500;
const DEFAULT_RETRIES = 2;
const UNHEEDED = ['RATE_LIMIT', 'WRAP_TTL', 'SRV_LOOKUP', 'MFA'];

/** @throws KeyturnError `config_invalid`, naming the value's source. */
export function vaultSettings(connection: VaultConnection, environment: Environment): VaultSettings {
  const address = serverAddress(connection.address, environment);
  return {
    address,
    namespace: configuredOr(connection.namespace, environment, 'NAMESPACE'),
    tls: tlsSettings(connection.tls ?? {}, environment),
    egress: vaultEgress(address, environment),
    timeoutMs: numberOf(connection.timeoutMs, environment, 'CLIENT_TIMEOUT', goDuration, DEFAULT_TIMEOUT_MS),
    maxRetries: numberOf(connection.maxRetries, environment, 'MAX_RETRIES', wholeNumber, DEFAULT_RETRIES),
    followTo: redirectOrigins(address, connection.followTo ?? [], environment),
    ignored: UNHEEDED.flatMap((name) => variable(environment, name)?.source ?? []),
  };
}

function numberOf(
  configured: number | undefined,
  environment: Environment,
  name: string,
  parse: (value: Sourced<string>) => number,
  fallback: number,
): Sourced<number> {
  if (configured !== undefined) return { value: configured, source: 'configuration' };
  const set = variable(environment, name);
  return set === null ? { value: fallback, source: 'default' } : { value: parse(set), source: set.source };
}

function redirectOrigins(address: Sourced<string>, others: readonly string[], environment: Environment): string[] {
  const disabled = variable(environment, 'DISABLE_REDIRECTS');
  if (disabled !== null && truth(disabled)) return [];
  return [address, ...others.map((value) => ({ value, source: 'followTo' }))].map(originOf);
}
