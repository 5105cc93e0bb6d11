import { once } from 'node:events';
import { createServer as createPlain, type IncomingMessage, type Server } from 'node:http';
import { createServer as createTls } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { Identity } from '../call.ts';

export interface ConnectProxyOptions {
  /** Spoken to with TLS under this certificate; else in plain. */
  readonly server?: Identity;
  /** With `server`: wants a certificate of this authority, and lets who has none pass. */
  readonly asksFor?: string;
  /** `user:password`, without which it answers 407. */
  readonly login?: string;
}

/**
 * An HTTP proxy on loopback that opens ways (CONNECT). Whatever name it is asked for lies on this host, so that names
 * stand for places that are not loopback.
 */
export class ConnectProxy implements AsyncDisposable {
  /** `host:port` of each way that was asked for. */
  readonly asked: string[] = [];
  /** Fingerprint of the certificate that each of them showed to the proxy; null for none. */
  readonly clients: (string | null)[] = [];
  /** All octets that passed, in both directions, and what was sent to the proxy itself. */
  readonly passed: Buffer[] = [];
  /** Instead of opening the way: this status; `hang`, no answer; `drop`, the connection ends; or text of no HTTP. */
  instead: number | 'hang' | 'drop' | { readonly text: string } | null = null;
  readonly #server: Server;
  readonly #login: string | null;
  readonly #scheme: 'http' | 'https';
  readonly #sockets = new Set<Duplex>();

  private constructor({ server, asksFor, login }: ConnectProxyOptions) {
    const asking = asksFor === undefined ? {} : { requestCert: true, rejectUnauthorized: false, ca: asksFor };
    this.#server =
      server === undefined ? createPlain() : createTls({ key: server.keyPem, cert: server.certificatePem, ...asking });
    this.#scheme = server === undefined ? 'http' : 'https';
    this.#login = login ?? null;
    this.#server.on('connect', (request, socket, head) => this.#open(request, socket, head));
    this.#server.on('request', (_, response) => response.writeHead(405).end());
    this.#server.on('connection', (socket: Socket) => this.#keep(socket));
  }

  static async start(options: ConnectProxyOptions = {}): Promise<ConnectProxy> {
    const proxy = new ConnectProxy(options);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  /** With user and password, where it wants some. */
  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    const login = this.#login === null ? '' : `${this.#login.split(':').map(encodeURIComponent).join(':')}@`;
    return `${this.#scheme}://${login}127.0.0.1:${port}`;
  }

  get origin(): string {
    return new URL(this.url).origin;
  }

  /** How many connections stand. */
  get open(): number {
    return this.#sockets.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #open(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const place = request.url ?? '';
    this.asked.push(place);
    this.clients.push(request.socket instanceof TLSSocket ? fingerprintOf(request.socket) : null);
    this.passed.push(Buffer.from(JSON.stringify(request.rawHeaders)));
    socket.on('error', () => socket.destroy());
    if (this.instead === 'hang') {
      socket.resume().on('end', () => socket.end());
      return;
    }
    if (this.instead === 'drop') {
      socket.destroy();
    } else if (typeof this.instead === 'number') {
      socket.end(`HTTP/1.1 ${this.instead} canary-reason\r\nContent-Length: 0\r\n\r\n`);
    } else if (this.instead !== null) {
      socket.end(this.instead.text);
    } else if (this.#login !== null && request.headers['proxy-authorization'] !== basic(this.#login)) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="x"\r\n\r\n');
    } else {
      this.#join(socket, head, Number(place.slice(place.lastIndexOf(':') + 1)));
    }
  }

  #join(outside: Duplex, head: Buffer, port: number): void {
    const inside = connect(port, '127.0.0.1');
    this.#keep(inside);
    inside.on('error', () => outside.end('HTTP/1.1 502 Bad Gateway\r\n\r\n'));
    inside.on('connect', () => {
      outside.write('HTTP/1.1 200 Connection established\r\n\r\n');
      inside.write(head);
      for (const [from, to] of [
        [outside, inside],
        [inside, outside],
      ] as const) {
        from.on('data', (octets: Buffer) => this.passed.push(octets));
        from.on('close', () => to.destroy());
        from.pipe(to);
      }
    });
  }

  #keep(socket: Duplex): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
  }
}

function fingerprintOf(socket: TLSSocket): string | null {
  return socket.getPeerCertificate().fingerprint256 ?? null;
}

function basic(login: string): string {
  return `Basic ${Buffer.from(login).toString('base64')}`;
}
