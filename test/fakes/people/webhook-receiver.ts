import { createHmac } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { TestCa } from '../ca.ts';

export interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly json: Readonly<Record<string, unknown>>;
}

/** Takes what is posted to it, over real TLS, and answers as it is told to. */
export class WebhookReceiver {
  readonly received: Received[] = [];
  readonly ca: string;
  /** Status of the next answers; 0 leaves the request without one. */
  status = 204;
  location = '';
  readonly #server: Server;

  private constructor(server: Server, ca: string) {
    this.#server = server;
    this.ca = ca;
  }

  static async start(): Promise<WebhookReceiver> {
    const ca = await TestCa.create();
    const { keyPem, certificatePem } = await ca.server();
    const server = createServer({ key: keyPem, cert: certificatePem });
    const receiver = new WebhookReceiver(server, ca.certificatePem);
    server.on('request', async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const body = Buffer.concat(chunks).toString('utf8');
      receiver.received.push({ headers: request.headers, body, json: JSON.parse(body) as Record<string, unknown> });
      if (receiver.status === 0) return;
      response.writeHead(receiver.status, receiver.location === '' ? {} : { location: receiver.location }).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return receiver;
  }

  get url(): string {
    return `https://localhost:${(this.#server.address() as AddressInfo).port}/hook`;
  }

  /** As a receiver checks it, written by the format's page alone. */
  static isSignedBy({ headers, body }: Received, secret: string): boolean {
    const [, seconds = '', mac = ''] =
      /^t=([0-9]+),v1=([0-9a-f]{64})$/.exec(String(headers['keyturn-signature'])) ?? [];
    return createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex') === mac;
  }

  stop(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}
