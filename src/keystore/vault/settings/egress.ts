import { Egress } from '../../../core/egress/egress.ts';
import { HttpProxy } from '../../../core/egress/proxy.ts';
import { KeyturnError } from '../../../core/errors.ts';
import { type Environment, type Sourced, variable } from './environment.ts';

/**
 * As Vault's and OpenBao's own clients: `PROXY_ADDR` before `HTTP_PROXY`, which are for Vault alone, whatever NO_PROXY
 * says; else `HTTPS_PROXY` and `NO_PROXY`, which are for every https.
 * @throws KeyturnError `config_invalid`; plain http, which is for loopback, is never sent to a proxy.
 */
export function vaultEgress(address: Sourced<string>, environment: Environment): Egress {
  const own = ownProxy(environment);
  if (own === null) return Egress.ofEnvironment(environment);
  if (address.value.startsWith('https:')) return Egress.through(HttpProxy.of(own.value, own.source, false));
  throw new KeyturnError('config_invalid', `${own.source} would have a proxy see tokens and keys in the clear.`, {
    fix: `The address (from ${address.source}) is plain http: use https, or unset ${own.source}.`,
  });
}

/** A proxy for Vault alone. */
export function ownProxy(environment: Environment): Sourced<string> | null {
  return variable(environment, 'PROXY_ADDR') ?? variable(environment, 'HTTP_PROXY');
}
