import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createNetServer, type Server as NetServer, type Socket } from 'node:net';
import {
  createServer as createTlsServer,
  type SecureContextOptions,
  TLSSocket,
  type Server as TlsServer,
} from 'node:tls';
import type { Refused } from '../seen.ts';
import type { Switches } from '../switches.ts';
import { alertFor, plainAlert, protectedAlert } from './alert.ts';
import { HandshakeGate } from './gate.ts';
import { type Peer, peerOf } from './peer.ts';

export interface MtlsListenerOptions {
  readonly context: SecureContextOptions;
  readonly refuseBy: () => Switches['refuseBy'];
  /** Whether the partner took this certificate back, and means it. */
  readonly isDead: (fingerprint: string) => boolean;
  readonly onRefused: (refused: Omit<Refused, 'at'>) => void;
  readonly onRequest: (request: IncomingMessage, response: ServerResponse, peer: Peer) => void;
}

/** The last step of a handshake that went through a gate. */
interface GateExit {
  readonly gate: HandshakeGate;
  /** SERVER_TRAFFIC_SECRET_0; null in TLS 1.2. */
  readonly secret: Buffer | null;
}

/**
 * HTTP/1.1 over mutual TLS on 127.0.0.1. Every certificate is let through the handshake and judged by one guard, by
 * what OpenSSL found (chain, dates, purpose, CRL) and by its fingerprint; so a refusal can look as the partner wants.
 */
export class MtlsListener {
  readonly #options: MtlsListenerOptions;
  readonly #front: NetServer;
  readonly #tls: TlsServer;
  readonly #http: Server;
  readonly #raw = new Set<Socket>();
  readonly #gates = new Set<HandshakeGate>();
  readonly #exits = new WeakMap<TLSSocket, GateExit>();
  readonly #peers = new Map<TLSSocket, Peer>();
  /** Why a connection that is still open must get HTTP 400. */
  readonly #turnedAway = new WeakMap<TLSSocket, string>();
  #sockets = 0;

  constructor(options: MtlsListenerOptions) {
    this.#options = options;
    this.#front = createNetServer({ noDelay: true }, (raw) => this.#onConnection(raw));
    this.#tls = createTlsServer({ ...options.context, requestCert: true, rejectUnauthorized: false });
    this.#tls.on('keylog', (line, socket) => this.#onKeylog(line, socket));
    this.#tls.on('secureConnection', (socket) => this.#onSecure(socket));
    this.#http = createHttpServer({ keepAliveTimeout: 60_000 }, (request, response) =>
      this.#onRequest(request, response),
    );
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#front.once('error', reject).listen(0, '127.0.0.1', resolve);
    });
    return (this.#front.address() as AddressInfo).port;
  }

  /** For new connections; live ones go on as they are. */
  setContext(context: SecureContextOptions): void {
    this.#tls.setSecureContext(context);
  }

  /** Cuts every live connection whose certificate is dead. */
  dropDead(): void {
    for (const [socket, peer] of this.#peers) if (this.#options.isDead(peer.fingerprint)) socket.destroy();
  }

  get liveSockets(): number {
    return this.#raw.size;
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#front.close(() => resolve()));
    for (const raw of this.#raw) raw.destroy();
    await closed;
  }

  #onConnection(raw: Socket): void {
    this.#raw.add(raw);
    raw.on('close', () => this.#raw.delete(raw));
    if (this.#options.refuseBy() !== 'alert') {
      this.#tls.emit('connection', raw);
      return;
    }
    const gate = new HandshakeGate(raw);
    this.#gates.add(gate);
    gate.on('close', () => this.#gates.delete(gate));
    this.#tls.emit('connection', gate);
  }

  /** Finds out which gate a TLS socket sits on, and the secret that an alert of TLS 1.3 is protected with. */
  #onKeylog(line: Buffer, socket: TLSSocket): void {
    const [label, random, secret = ''] = line.toString('ascii').trim().split(' ');
    if (label !== 'CLIENT_RANDOM' && label !== 'SERVER_TRAFFIC_SECRET_0') return;
    for (const gate of this.#gates) {
      if (gate.clientRandom !== random) continue;
      this.#gates.delete(gate);
      this.#exits.set(socket, { gate, secret: label === 'CLIENT_RANDOM' ? null : Buffer.from(secret, 'hex') });
    }
  }

  #onSecure(socket: TLSSocket): void {
    socket.on('error', () => socket.destroy());
    this.#sockets += 1;
    const peer = peerOf(socket, this.#sockets);
    const reason = this.#judge(socket, peer);
    if (reason !== null || peer === null) {
      this.#refuse(socket, peer, reason ?? 'CERTIFICATE_REQUIRED');
      return;
    }
    this.#peers.set(socket, peer);
    socket.on('close', () => this.#peers.delete(socket));
    this.#http.emit('connection', socket);
  }

  #judge(socket: TLSSocket, peer: Peer | null): string | null {
    if (peer === null) return 'CERTIFICATE_REQUIRED';
    if (!socket.authorized) return String(socket.authorizationError);
    return this.#options.isDead(peer.fingerprint) ? 'CERT_REVOKED' : null;
  }

  #refuse(socket: TLSSocket, peer: Peer | null, reason: string): void {
    this.#options.onRefused({ serial: peer?.serial ?? null, reason, socketId: this.#sockets });
    const exit = this.#exits.get(socket);
    if (exit !== undefined) {
      exit.gate.refuse(alertRecord(socket, reason, exit.secret));
      socket.destroy();
    } else if (this.#options.refuseBy() === 'status') {
      this.#turnedAway.set(socket, reason);
      this.#http.emit('connection', socket);
    } else {
      socket.destroy();
    }
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const socket = request.socket;
    if (!(socket instanceof TLSSocket)) throw new Error('A request came without TLS.');
    const reason = this.#turnedAway.get(socket);
    const peer = this.#peers.get(socket);
    if (reason !== undefined || peer === undefined) {
      answerAsNginx(request, response, reason);
    } else if (this.#options.isDead(peer.fingerprint)) {
      // Parsed just before its certificate died.
      socket.destroy();
    } else {
      this.#options.onRequest(request, response, peer);
    }
  }
}

function alertRecord(socket: TLSSocket, reason: string, secret: Buffer | null): Buffer {
  const required = secret === null ? 'handshake_failure' : 'certificate_required';
  const alert = reason === 'CERTIFICATE_REQUIRED' ? required : alertFor(reason);
  return secret === null ? plainAlert(alert) : protectedAlert(alert, socket.getCipher().standardName, secret);
}

/** nginx answers 400 (its own 495 and 496) in HTML and closes. */
function answerAsNginx(request: IncomingMessage, response: ServerResponse, reason: string | undefined): void {
  const what = reason === 'CERTIFICATE_REQUIRED' ? 'No required SSL certificate was sent' : 'The SSL certificate error';
  request.resume();
  response.writeHead(400, { 'content-type': 'text/html', connection: 'close' }).end(`<html>
<head><title>400 ${what}</title></head>
<body><center><h1>400 Bad Request</h1></center><center>${what}</center></body>
</html>
`);
}
