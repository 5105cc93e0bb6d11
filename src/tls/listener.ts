import { constants } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { createServer, type Server, type ServerOptions } from 'node:https';
import type { SecureContextOptions } from 'node:tls';

/** What a stranger may take of a listener. Node's own defaults are far looser (60 s, 300 s, no limit, …). */
export interface ListenerLimits {
  /** From the TCP connection to the end of the TLS handshake. */
  readonly handshakeTimeoutMs: number;
  /** From the start of a request to the end of its headers. */
  readonly headersTimeoutMs: number;
  /** From the start of a request to the end of its body. */
  readonly requestTimeoutMs: number;
  /** How long an idle connection is kept. */
  readonly keepAliveTimeoutMs: number;
  /** How often the two request limits are enforced. */
  readonly checkIntervalMs: number;
  readonly maxConnections: number;
  readonly maxRequestsPerSocket: number;
  readonly maxHeaderBytes: number;
}

export const LISTENER_LIMITS: ListenerLimits = {
  handshakeTimeoutMs: 10_000,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 15_000,
  keepAliveTimeoutMs: 60_000,
  checkIntervalMs: 1_000,
  maxConnections: 10_240,
  maxRequestsPerSocket: 1_000,
  maxHeaderBytes: 16 * 1024,
};

/** RFC 9325 section 4.2: forward secrecy and authenticated encryption only. */
const CIPHERS = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
].join(':');

/**
 * The secure context of every listener of ours, without key and certificate.
 *
 * Sessions are never resumed: a ticket is a bearer form of its first owner's identity, and a resumed session was
 * accepted with another client's certificate or none. Without tickets, and without the session events that a cache
 * would need, TLS 1.2 and 1.3 both do a full handshake each time. Do not add a `newSession` listener to a server.
 */
export const LISTENER_CONTEXT: Readonly<SecureContextOptions> = {
  minVersion: 'TLSv1.2',
  ciphers: CIPHERS,
  honorCipherOrder: true,
  secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
};

/**
 * An HTTP/1.1-over-TLS server with our limits. It has no certificate yet: `ListenerCertificate.attach(server,
 * LISTENER_CONTEXT, …)` gives it one before it listens.
 *
 * @param options.limits what differs from {@link LISTENER_LIMITS}.
 * @param options.askForClientCertificate asks every client for a certificate and lets the connection through whatever
 * comes, so that one fail-closed guard behind it can refuse with an exact reason. Only with that guard. Default: false.
 */
export function createListener(
  handler: RequestListener,
  options: { readonly limits?: Partial<ListenerLimits>; readonly askForClientCertificate?: boolean } = {},
): Server {
  const limits = { ...LISTENER_LIMITS, ...options.limits };
  const server = createServer(serverOptions(limits, options.askForClientCertificate ?? false), handler);
  server.maxConnections = limits.maxConnections;
  server.maxRequestsPerSocket = limits.maxRequestsPerSocket;
  return server;
}

function serverOptions(limits: ListenerLimits, askForClientCertificate: boolean): ServerOptions {
  return {
    ...LISTENER_CONTEXT,
    ALPNProtocols: ['http/1.1'],
    requestCert: askForClientCertificate,
    rejectUnauthorized: false,
    handshakeTimeout: limits.handshakeTimeoutMs,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: limits.checkIntervalMs,
    maxHeaderSize: limits.maxHeaderBytes,
    requireHostHeader: true,
    insecureHTTPParser: false,
  };
}
