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
export function originOf(address: Sourced<string>): string {
  const { value } = address;
  const url = URL.canParse(value) ? new URL(value) : null;
  const known = url?.protocol === 'https:' || url?.protocol === 'http:';
  if (url === null || !known || url.pathname !== '/' || url.search !== '' || url.username !== '' || url.hash !== '') {
    throw new KeyturnError('config_invalid', `${placeOf(address)} is not the address of a Vault server.`, {
      fix: `${asItShouldBe(address) ?? 'Write it as https://vault.example:8200'}, without a path.`,
    });
  }
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    throw new KeyturnError('config_invalid', `${placeOf(address)} would send tokens and keys in the clear.`, {
      fix: `${asItShouldBe(address) ?? 'Use https'}; plain http is for a loopback address alone.`,
    });
  }
  return url.origin;
}

function placeOf({ source }: Sourced<string>): string {
  if (source === 'configuration') return 'address in keyturn.yaml';
  return source === 'followTo' ? 'follow-to in keyturn.yaml' : source;
}

/** Of a host, with or without a port, what it is meant to be; null for what may be anything, and is not repeated. */
function asItShouldBe({ value, source }: Sourced<string>): string | null {
  const [, host, port = ''] =
    /^(?:https?:\/\/)?([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:]{2,45}\])(:\d{1,5})?(?:\/.*)?$/.exec(value) ?? [];
  if (host === undefined || /^https?$/i.test(host)) return null;
  const right = `https://${host}${port}`;
  return /^(?:BAO|VAULT)_/.test(source) ? `export ${source}=${right}` : `Write ${right}`;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(?:\.[0-9]{1,3}){3}$/.test(host);
}
