import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { createServer, type Server } from 'node:tls';
import type { Identity } from '../call.ts';

/** A TLS listener on loopback that hands what it decrypts to a plain one. */
export class TlsFront implements AsyncDisposable {
  readonly url: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
    this.url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start({ keyPem, certificatePem }: Identity, plainUrl: string): Promise<TlsFront> {
    const port = Number(new URL(plainUrl).port);
    const server = createServer({ key: keyPem, cert: certificatePem }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const front = new TlsFront(server);
    server.on('secureConnection', (outside) => {
      const inside = connect(port, '127.0.0.1');
      front.#join(outside, inside);
      front.#join(inside, outside);
    });
    return front;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.on('error', () => to.destroy());
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
    from.pipe(to);
  }
}
