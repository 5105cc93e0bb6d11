import type { Agent as HttpAgent, IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { Egress } from '../../../core/egress/egress.ts';
import { TunnelAgent } from '../../../core/egress/tunnel-agent.ts';
import { http } from '../../../core/io/http.ts';
import type { VaultAnswer } from './answer.ts';
import { checkContentType, readBody } from './body.ts';
import { failure, type Progress } from './failure.ts';
import { vaultError } from './reason.ts';
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

export interface TransportOptions {
  /** Where a redirect may lead. */
  readonly origins: readonly string[];
  /** Asked at once, and again by {@link Transport.renewIdentity}. */
  readonly loadTls: () => TransportTls;
  readonly egress: Egress;
  /** As long as one attempt is waited for, in milliseconds. */
  readonly attemptMs: number;
}

interface Agents {
  readonly http: HttpAgent;
  readonly https: TunnelAgent;
}

/**
 * HTTP as Keyturn speaks it to Vault, over Node's own client: one pool of connections, no redirect but one to an
 * origin that was named beforehand, an answer of bounded size. Errors carry neither headers nor body.
 */
export class Transport {
  readonly #origins: ReadonlySet<string>;
  readonly #options: TransportOptions;
  #agents: Agents;

  constructor(options: TransportOptions) {
    this.#origins = new Set(options.origins);
    this.#options = options;
    this.#agents = agentsOf(options);
  }

  /** Reads certificate and key anew; connections of the old ones end when they are idle. */
  renewIdentity(): void {
    const old = this.#agents;
    this.#agents = agentsOf(this.#options);
    retire(old);
  }

  /** @throws KeyturnError `keystore_unavailable`: unreachable, tls, proxy, lost, timeout, redirected, not_vault. */
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
      ? http.request(request.url, { ...options, agent: this.#agents.http })
      : httpsRequest(request.url, { ...options, agent: this.#agents.https });
    // Until the connection stands (with TLS: until the handshake is done) nothing of the request has left.
    let progress: Progress = 'begun';
    sent.on('socket', (socket) => {
      progress = sent.reusedSocket ? 'connected' : 'handed over';
      if (sent.reusedSocket) return;
      socket.once(plain ? 'connect' : 'secureConnect', () => {
        progress = 'connected';
      });
    });
    sent.on('response', resolve);
    const fail = (error: unknown) =>
      reject(failure(error, { signal: request.signal, progress, ...this.#way(request.url) }));
    sent.on('error', fail);
    // Node tells a request that has no socket yet, since its proxy opens no way, of nothing.
    request.signal.addEventListener('abort', fail, { once: true });
    sent.end(request.body ?? undefined);
    return promise;
  }

  #way(url: URL) {
    return { proxy: this.#options.egress.proxyTo(url), url };
  }

  async #answer(response: IncomingMessage, { signal, url }: TransportRequest): Promise<VaultAnswer> {
    const octets = await readBody(response).catch((error: unknown) => {
      throw failure(error, { signal, progress: 'connected', ...this.#way(url) });
    });
    const status = response.statusCode ?? 0;
    checkContentType(response.headers['content-type'], octets, status);
    const seconds = Number(response.headers['retry-after']);
    return { status, octets, retryAfterMs: Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : null };
  }
}

/** A way that a proxy does not open is given up so much later than the attempt that waits for it, in milliseconds. */
const GRACE_MS = 1_000;

/** The key is in the context alone: an agent makes pool names of the options that it is given. */
function agentsOf({ loadTls, egress, attemptMs }: TransportOptions): Agents {
  const { secureContext, serverName, insecure } = loadTls();
  const common = { keepAlive: true, maxSockets: 32, maxFreeSockets: 4, scheduling: 'lifo' as const };
  const name = serverName === undefined || isIP(serverName) !== 0 ? {} : { servername: serverName };
  const tls = { ...name, secureContext, rejectUnauthorized: !insecure, minVersion: 'TLSv1.2' as const };
  return { http: new http.Agent(common), https: new TunnelAgent({ ...common, ...tls }, egress, attemptMs + GRACE_MS) };
}

function retire(agents: Agents): void {
  for (const agent of [agents.http, agents.https]) {
    for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
    agent.maxFreeSockets = 0;
  }
}
