import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { VaultAnswer } from './answer.ts';
import { checkContentType, readBody } from './body.ts';
import { type Reason, vaultError } from './reason.ts';
import { redirectTarget } from './redirect.ts';

export interface TransportTls {
  readonly secureContext: SecureContext;
  /** Name that the server's certificate must carry, if not the address's host. */
  readonly serverName?: string;
  /** Whether any certificate is accepted. */
  readonly insecure: boolean;
}

export interface TransportRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
  readonly signal: AbortSignal;
}

/**
 * HTTP as Keyturn speaks it to Vault, over Node's own client: one pool of connections, no redirect but one to an
 * origin that was named beforehand, an answer of bounded size. Errors carry neither headers nor body.
 */
export class Transport {
  readonly #origins: ReadonlySet<string>;
  readonly #loadTls: () => TransportTls;
  #agents: { readonly http: HttpAgent; readonly https: HttpsAgent };

  /** `origins`: where a redirect may lead. `loadTls` is asked now, and again by {@link renewIdentity}. */
  constructor(origins: readonly string[], loadTls: () => TransportTls) {
    this.#origins = new Set(origins);
    this.#loadTls = loadTls;
    this.#agents = agentsOf(loadTls());
  }

  /** Reads certificate and key anew; connections of the old ones end when they are idle. */
  renewIdentity(): void {
    const old = this.#agents;
    this.#agents = agentsOf(this.#loadTls());
    retire(old);
  }

  /** @throws KeyturnError `keystore_unavailable`: unreachable, tls, lost, timeout, redirected, not_vault. */
  async send(request: TransportRequest): Promise<VaultAnswer> {
    const response = await this.#exchange(request);
    if (response.statusCode !== 307 && response.statusCode !== 308) return this.#answer(response, request);
    response.resume();
    const target = redirectTarget(response.headers.location, request.url, this.#origins);
    const second = await this.#exchange({ ...request, url: target });
    if (second.statusCode !== 307 && second.statusCode !== 308) return this.#answer(second, request);
    second.resume();
    throw vaultError('redirected', 'Vault redirects in a circle.', { fix: 'Check api_addr of its nodes.' });
  }

  close(): void {
    this.#agents.http.destroy();
    this.#agents.https.destroy();
  }

  #exchange(request: TransportRequest): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const plain = request.url.protocol === 'http:';
    const options = {
      method: request.method,
      headers: { ...request.headers, 'Content-Length': String(request.body?.length ?? 0) },
      signal: request.signal,
    };
    const sent = plain
      ? httpRequest(request.url, { ...options, agent: this.#agents.http })
      : httpsRequest(request.url, { ...options, agent: this.#agents.https });
    // Until the connection stands (with TLS: until the handshake is done) nothing of the request has left.
    let connected = false;
    sent.on('socket', (socket) => {
      connected = sent.reusedSocket;
      if (connected) return;
      socket.once(plain ? 'connect' : 'secureConnect', () => {
        connected = true;
      });
    });
    sent.on('response', resolve);
    sent.on('error', (error) => reject(failure(error, request.signal, connected)));
    sent.end(request.body ?? undefined);
    return promise;
  }

  async #answer(response: IncomingMessage, { signal }: TransportRequest): Promise<VaultAnswer> {
    const octets = await readBody(response).catch((error: unknown) => {
      throw failure(error, signal, true);
    });
    const status = response.statusCode ?? 0;
    checkContentType(response.headers['content-type'], octets, status);
    const seconds = Number(response.headers['retry-after']);
    return { status, octets, retryAfterMs: Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : null };
  }
}

/** The key is in the context alone: an agent makes pool names of the options that it is given. */
function agentsOf({ secureContext, serverName, insecure }: TransportTls) {
  const common = { keepAlive: true, maxSockets: 32, maxFreeSockets: 4, scheduling: 'lifo' as const };
  const name = serverName === undefined || isIP(serverName) !== 0 ? {} : { servername: serverName };
  return {
    http: new HttpAgent(common),
    https: new HttpsAgent({ ...common, ...name, secureContext, rejectUnauthorized: !insecure, minVersion: 'TLSv1.2' }),
  };
}

function retire(agents: { readonly http: HttpAgent; readonly https: HttpsAgent }): void {
  for (const agent of [agents.http, agents.https]) {
    for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
    agent.maxFreeSockets = 0;
  }
}

function failure(error: unknown, signal: AbortSignal, sent: boolean): Error {
  if (signal.aborted) {
    return vaultError('timeout', 'Vault did not answer in time.', {
      fix: 'Check the network and the load of the server.',
    });
  }
  const code = codeOf(error);
  if (code === 'body_too_large') {
    return vaultError('not_vault', 'What answered sent more than Vault ever would.', { fix: 'Check the address.' });
  }
  if (isCertificateCode(code)) {
    return vaultError('tls', `The certificate of Vault is refused (${code}).`, { fix: certificateFix(code) });
  }
  const reason: Reason = sent ? 'lost' : 'unreachable';
  const says = reason === 'lost' ? 'The connection to Vault broke before it answered' : "Vault can't be reached";
  return vaultError(reason, `${says} (${code}).`, { fix: connectionFix(code) });
}

function connectionFix(code: string): string {
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return 'The name does not resolve: correct the address, or see what DNS says: getent hosts NAME.';
  }
  if (code === 'ECONNREFUSED')
    return 'Nobody listens there: correct host and port of the address, or start the server.';
  return 'Check the address, the network and that the server runs.';
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return typeof code === 'string' && /^[A-Za-z0-9_]{1,60}$/.test(code) ? code : 'unknown';
}

function isCertificateCode(code: string): boolean {
  return /^(?:CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|ERR_TLS_CERT_|ERR_SSL_|INVALID_CA|HOSTNAME_MISMATCH|EPROTO)/.test(
    code,
  );
}

function certificateFix(code: string): string {
  if (code === 'CERT_HAS_EXPIRED')
    return "Renew the server's certificate, and let it load the new one: kill -HUP its process.";
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return 'Use a name of the certificate, or set tls.server-name.';
  if (code.startsWith('ERR_SSL_') || code === 'EPROTO')
    return 'Check that the address speaks TLS, and our certificate.';
  return "Name the CA that issued the server's certificate: tls.ca in keyturn.yaml, BAO_CACERT or VAULT_CACERT.";
}
