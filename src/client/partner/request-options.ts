import type { RequestOptions } from 'node:https';
import { checkServerIdentity } from 'node:tls';
import { KeyturnError } from '../../core/errors.ts';
import type { ConnectOptions, Endpoint } from './endpoints.ts';

/**
 * Options of a single request that would change who we are, whom we trust or where the connection goes. A shared
 * pool does not keep them apart, so a request with one of them could ride another's connection.
 */
const REFUSED = [
  'ALPNProtocols',
  'ca',
  'cert',
  'ciphers',
  'clientCertEngine',
  'crl',
  'dhparam',
  'ecdhCurve',
  'fd',
  'honorCipherOrder',
  'key',
  'maxVersion',
  'minVersion',
  'passphrase',
  'pfx',
  'privateKeyEngine',
  'privateKeyIdentifier',
  'pskCallback',
  'secureContext',
  'secureOptions',
  'secureProtocol',
  'session',
  'sessionIdContext',
  'sigalgs',
  'socket',
  'socketPath',
  'ticketKeys',
] as const;

/** As Node hands them to `agent.addRequest`: the caller's, with host and port filled in. */
export type AgentRequestOptions = RequestOptions & { readonly [option: string]: unknown };

/** Why these options are refused; null when they are not. `undefined` counts as absent. */
export function refusedOption(options: AgentRequestOptions): KeyturnError | null {
  for (const name of REFUSED) {
    // `null` is what libraries write for "none".
    if (options[name] !== undefined && options[name] !== null) return refused(name);
  }
  const { servername, rejectUnauthorized } = options;
  // got passes Node's own check along, which is the one that is made.
  const check = options.checkServerIdentity ?? checkServerIdentity;
  if (check !== checkServerIdentity) return refused('checkServerIdentity');
  if (servername !== undefined && servername !== '' && servername !== options.host) return refused('servername');
  // Only `true` asks for what happens anyway; the runtime takes every other value but undefined for "no check".
  if (rejectUnauthorized !== undefined && rejectUnauthorized !== true) return refused('rejectUnauthorized');
  return null;
}

function refused(option: string): KeyturnError {
  return new KeyturnError('tls_option_refused', `The request sets "${option}", which only the lease may decide.`, {
    fix: `Take "${option}" out of the request. The credential's agent brings key, certificate and trust.`,
    facts: { option },
  });
}

/**
 * The options that a connection is made with: the endpoint's, and of the caller's those alone that choose a route to
 * that same host. The rest goes nowhere near TLS.
 */
export function connectOptions(endpoint: Endpoint, options: AgentRequestOptions): ConnectOptions {
  const { family, localAddress, lookup, hints } = options;
  if (family === undefined && localAddress === undefined && lookup === undefined && hints === undefined) {
    return endpoint.options;
  }
  const poolName = `${endpoint.name}:${String(localAddress ?? '')}:${String(family ?? '')}`;
  return Object.assign({}, endpoint.options, { family, localAddress, lookup, hints, poolName });
}
