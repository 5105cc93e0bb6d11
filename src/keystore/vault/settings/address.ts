import { KeyturnError } from '../../../core/errors.ts';
import { configuredOr, type Environment, type Sourced, variable } from './environment.ts';

/**
 * The server's address without a slash at its end. `AGENT_ADDR` comes before `ADDR`, as in Vault's own client.
 * @throws KeyturnError `config_invalid` when there is none, or it is not https (http for a loopback address alone).
 */
export function serverAddress(configured: string | undefined, environment: Environment): Sourced<string> {
  const agent = configured === undefined ? variable(environment, 'AGENT_ADDR') : null;
  const address = agent ?? configuredOr(configured, environment, 'ADDR');
  if (address === null) {
    throw new KeyturnError('config_invalid', 'No address of Vault is set.', {
      fix: 'Set address in keyturn.yaml, or BAO_ADDR or VAULT_ADDR.',
    });
  }
  return { ...address, value: originOf(address) };
}

/** @throws KeyturnError `config_invalid`. */
export function originOf({ value, source }: Sourced<string>): string {
  const url = URL.canParse(value) ? new URL(value) : null;
  const known = url?.protocol === 'https:' || url?.protocol === 'http:';
  if (url === null || !known || url.pathname !== '/' || url.search !== '' || url.username !== '' || url.hash !== '') {
    throw new KeyturnError('config_invalid', `${source} is not the address of a Vault server.`, {
      fix: 'Write it as https://vault.example:8200, without a path.',
    });
  }
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    throw new KeyturnError('config_invalid', `${source} would send tokens and keys in the clear.`, {
      fix: 'Use https; plain http is for a loopback address alone.',
    });
  }
  return url.origin;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(?:\.[0-9]{1,3}){3}$/.test(host);
}
