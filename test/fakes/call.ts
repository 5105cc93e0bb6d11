import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import { Agent, request } from 'node:https';
import { text } from 'node:stream/consumers';
import { createSecureContext, type SecureVersion, TLSSocket } from 'node:tls';

export interface Identity {
  readonly keyPem: string;
  readonly certificatePem: string;
}

export interface CallOptions {
  /** Roots for the server's certificate, PEM. */
  readonly ca: string;
  /** None is sent without it. */
  readonly identity?: Identity;
  /** For requests that share connections; without it each call has a connection of its own. */
  readonly agent?: Agent;
  readonly tls?: SecureVersion;
  /** A TLS session of an earlier connection. */
  readonly session?: Buffer;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Whether the client resumed a TLS session. */
  readonly resumed: boolean;
  /** The newest TLS session that the server offered for resumption. */
  readonly session: Buffer | null;
}

/** One request as an ordinary Node client makes it. Rejects with Node's own error. */
export async function call(url: string, options: CallOptions): Promise<Answer> {
  const { method = 'GET', body, session } = options;
  const agent = options.agent ?? agentFor(options);
  const sent = request(url, {
    method,
    headers: { ...options.headers },
    agent,
    ...(session === undefined ? {} : { session }),
  });
  let offered: Buffer | null = null;
  sent.on('socket', (socket) => socket.on('session', (newest: Buffer) => (offered = newest)));
  sent.end(body);
  try {
    const [response] = await once(sent, 'response');
    const socket = response.socket;
    const resumed = socket instanceof TLSSocket && socket.isSessionReused();
    const { statusCode: status, headers } = response;
    return { status, headers, body: await text(response), resumed, session: offered };
  } finally {
    if (options.agent === undefined) agent.destroy();
  }
}

/** An agent for one identity. Sessions are not cached, so that a resumption is always a test's own doing. */
export function agentFor(options: CallOptions, keepAlive = false): Agent {
  const { ca, identity, tls } = options;
  const secureContext = createSecureContext({
    ca,
    ...(identity === undefined ? {} : { key: identity.keyPem, cert: identity.certificatePem }),
    ...(tls === undefined ? {} : { minVersion: tls, maxVersion: tls }),
  });
  return new Agent({ secureContext, keepAlive, maxCachedSessions: 0 });
}

/** The code of the error that `promise` rejects with, and OpenSSL's own reason when there is one. */
export async function failure(promise: Promise<unknown>): Promise<{ code: string; reason: string | null }> {
  try {
    await promise;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const code = 'code' in error ? String(error.code) : error.name;
    const reason = 'reason' in error && typeof error.reason === 'string' ? error.reason : null;
    return { code, reason: reason ?? /SSL routines:[^:]*:([^:]+):/.exec(error.message)?.[1] ?? null };
  }
  throw new Error('The call was answered.');
}
