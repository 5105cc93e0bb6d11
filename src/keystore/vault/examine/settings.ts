import { attention, type Check, ok } from '../../../core/check.ts';
import { hiddenProxy, sayingWay } from '../../../core/egress/examine.ts';
import type { VaultConnection } from '../options.ts';
import { ownProxy } from '../settings/egress.ts';
import { type Environment, type Sourced, variable } from '../settings/environment.ts';
import type { VaultSettings } from '../settings/settings.ts';
import type { PemSource } from '../settings/tls.ts';

/** What is in force and who said so; then what is unsafe in it, and variables that hide one another or are not heeded. */
export function examineSettings(connection: VaultConnection, settings: VaultSettings): Check[] {
  const environment = connection.environment ?? process.env;
  return [
    ok('settings', [...inForce(settings), ...wayTo(settings), ...overruled(connection, environment)].join(', ')),
    ...unsafe(settings),
    ...hidden(connection, environment),
    ...(ownProxy(environment) === null ? hiddenProxy(environment) : []),
    ...settings.ignored.map((name) =>
      attention('settings', `${name} is set, and Keyturn does not heed it`, `unset ${name}`),
    ),
  ];
}

function inForce({ address, namespace, tls, timeoutMs }: VaultSettings): string[] {
  const named: readonly (readonly [string, Sourced<string | number> | null])[] = [
    ['address', address],
    ['namespace', namespace],
    ['CA', pemPlace(tls.ca)],
    ['client certificate', pemPlace(tls.clientCertificate)],
    ['server name', tls.serverName],
    ['time-out in ms', timeoutMs],
  ];
  return named.flatMap(([name, sourced]) =>
    sourced === null || sourced.source === 'default' ? [] : [`${name} ${sourced.value} (${sourceOf(sourced)})`],
  );
}

/** Through a proxy, or past one that is named. */
function wayTo({ egress, address }: VaultSettings): string[] {
  return sayingWay(egress, new URL(address.value));
}

export function sourceOf({ source }: Sourced<unknown>): string {
  return source === 'configuration' ? 'keyturn.yaml' : `${source} of this shell; the server has its own`;
}

export function pemPlace(source: PemSource | null): Sourced<string> | null {
  if (source === null) return null;
  const { value } = source;
  return {
    source: source.source,
    value: 'pem' in value ? 'in the variable' : 'file' in value ? value.file : value.folder,
  };
}

function unsafe({ address, tls }: VaultSettings): Check[] {
  const { skipVerify } = tls;
  return [
    ...(address.value.startsWith('http:')
      ? [
          attention(
            'TLS',
            `${address.value} is plain http: whoever may watch this host’s loopback sees token and keys`,
            'Let the server listen with TLS, and write https:// in address.',
          ),
        ]
      : []),
    ...(skipVerify.value
      ? [
          attention(
            'TLS',
            `${skipVerify.source} is in force: nobody checks whose certificate the server shows`,
            `unset ${skipVerify.source}; name the CA in tls.ca, and take allow-skip-verify out of keyturn.yaml.`,
          ),
        ]
      : []),
  ];
}

/** Variables that a store may take from the environment, with whether keyturn.yaml decides instead. */
function heeded({ address, namespace, tls = {}, login, timeoutMs, maxRetries }: VaultConnection) {
  const ca = tls.caFile ?? tls.caFolder;
  return [
    ['AGENT_ADDR', address !== undefined],
    ['ADDR', address !== undefined],
    ['NAMESPACE', namespace !== undefined],
    ['CACERT_BYTES', ca !== undefined],
    ['CACERT', ca !== undefined],
    ['CAPATH', ca !== undefined],
    ['CLIENT_CERT', tls.clientCertificateFile !== undefined],
    ['CLIENT_KEY', tls.clientKeyFile !== undefined],
    ['TLS_SERVER_NAME', tls.serverName !== undefined],
    ['SKIP_VERIFY', false],
    ['CLIENT_TIMEOUT', timeoutMs !== undefined],
    ['MAX_RETRIES', maxRetries !== undefined],
    ['PROXY_ADDR', false],
    ['HTTP_PROXY', false],
    ['TOKEN', login !== undefined],
  ] as const;
}

function overruled(connection: VaultConnection, environment: Environment): string[] {
  return heeded(connection).flatMap(([name, configured]) => {
    const set = configured ? variable(environment, name) : null;
    return set === null ? [] : [`keyturn.yaml wins over ${set.source}`];
  });
}

/** Of two variables for one thing that say different things, only one is heard. Values are not shown: one is a token. */
function hidden(connection: VaultConnection, environment: Environment): Check[] {
  const found = heeded(connection).flatMap(([name, configured]) => {
    const [first, second] = [environment[`BAO_${name}`], environment[`VAULT_${name}`]];
    if (configured || first === undefined || !second || first === second) return [];
    const evidence =
      first === ''
        ? `BAO_${name} is set to nothing, and so hides VAULT_${name}`
        : `BAO_${name} wins over VAULT_${name}, which says otherwise`;
    return [attention('settings', evidence, `unset ${first === '' ? 'BAO' : 'VAULT'}_${name}`)];
  });
  const [agent, own] = [variable(environment, 'AGENT_ADDR'), variable(environment, 'ADDR')];
  if (connection.address !== undefined || agent === null || own === null || agent.value === own.value) return found;
  const evidence = `${agent.source} wins over ${own.source}, which says otherwise`;
  return [...found, attention('settings', evidence, `unset ${own.source}`)];
}
