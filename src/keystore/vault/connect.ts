import { KeyturnError } from '../../core/errors.ts';
import type { Circuit } from '../circuit.ts';
import { askAs, type TokenSource, VaultClient } from './client/client.ts';
import { Resilience } from './client/resilience.ts';
import { Transport } from './client/transport.ts';
import { vaultWire } from './client/wire.ts';
import { chooseLogin } from './login/choose.ts';
import type { LoginClient } from './login/method.ts';
import { Session } from './login/session.ts';
import type { VaultConnection } from './options.ts';
import { type VaultSettings, vaultSettings } from './settings/settings.ts';
import { loadTls } from './settings/tls-context.ts';

/** A way to one server, with a session that is not logged in before it is needed. */
export interface VaultLink {
  readonly client: VaultClient;
  readonly settings: VaultSettings;
  /** How it logs in, for people. */
  readonly login: string;
  /** What to do when that login is refused. */
  readonly loginFix: string;
  /** Whether it can log in again; a token that was handed to us is all there is. */
  readonly loginRepeats: boolean;
  /** Whether its token was made for us by the login just now, and not by somebody else before. */
  readonly loginIsFresh: boolean;
  readonly circuit: () => Circuit;
  readonly close: () => void;
}

/**
 * Asks nothing of the server: it may be down when Keyturn starts.
 * @throws KeyturnError `config_invalid`.
 */
export function connectVault(connection: VaultConnection): VaultLink {
  const environment = connection.environment ?? process.env;
  const settings = vaultSettings(connection, environment);
  const method = chooseLogin(
    connection.login,
    environment,
    `${settings.address.value} ${settings.namespace?.value ?? ''}`,
  );
  checkCertificate(connection, settings);
  const transport = new Transport({
    origins: settings.followTo,
    loadTls: () => loadTls(settings.tls),
    egress: settings.egress,
    attemptMs: settings.timeoutMs.value,
  });
  const wire = vaultWire(settings.address.value, settings.namespace?.value ?? null, transport);
  const resilience = resilienceOf(connection, settings);
  const loginClient: LoginClient = {
    post: (path, body, token) => askAs(wire, resilience, token ?? null, { method: 'POST', path, body }),
    get: (path, token) => askAs(wire, resilience, token, { method: 'GET', path }),
    renewIdentity: () => transport.renewIdentity(),
  };
  const session = new Session(method, loginClient);
  const tokens: TokenSource = session;
  return {
    client: new VaultClient(wire, resilience, tokens),
    settings,
    login: method.description,
    loginFix: method.fix,
    loginRepeats: method.repeatable,
    loginIsFresh: method.repeatable && method.renews,
    circuit: () => resilience.circuit,
    close: () => {
      session.close();
      transport.close();
    },
  };
}

/** @throws KeyturnError `config_invalid`: a login by certificate shows that of the connection. */
function checkCertificate({ login }: VaultConnection, { tls }: VaultSettings): void {
  if (login?.method !== 'certificate' || tls.clientCertificate !== null) return;
  throw new KeyturnError('config_invalid', 'The login is by certificate, and the connection has none.', {
    fix: 'Set tls.certificate and tls.key in keyturn.yaml, or BAO_CLIENT_CERT and BAO_CLIENT_KEY.',
  });
}

function resilienceOf({ breakMs, onCircuit }: VaultConnection, settings: VaultSettings): Resilience {
  return new Resilience({
    timeoutMs: settings.timeoutMs.value,
    maxRetries: settings.maxRetries.value,
    ...(breakMs === undefined ? {} : { breakMs }),
    ...(onCircuit === undefined ? {} : { onCircuit }),
  });
}
