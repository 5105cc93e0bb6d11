import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { Agent, createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { systemRecord } from '../../../src/keystore/record-name.ts';
import { openServerCa } from '../../../src/tls/ca.ts';
import { caSource } from '../../../src/tls/ca-source.ts';
import type { TestInstance } from '../instance.ts';

/** What a proxy answers in the server's place. */
export interface Instead {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** A reverse proxy before an instance, with a certificate of the CA that its clients have pinned. */
export class ReverseProxy implements AsyncDisposable {
  /** Null passes requests on. */
  instead: Instead | null = null;
  /** Requests that were answered in the server's place. */
  answered = 0;
  readonly url: string;
  readonly #close: () => Promise<void>;

  private constructor(url: string, close: () => Promise<void>) {
    this.url = url;
    this.#close = close;
  }

  static async before(keyturn: TestInstance): Promise<ReverseProxy> {
    const { cert, key } = await identityOf(keyturn);
    const agent = new Agent({ ca: await keyturn.ca });
    let proxy: ReverseProxy | null = null;
    const server = createServer({ cert, key }, (incoming, response) => {
      if (proxy?.instead != null) return proxy.#answer(response, proxy.instead);
      const { method, headers } = incoming;
      const onward = request(new URL(incoming.url ?? '/', keyturn.url), { method, headers, agent }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      onward.on('error', () => response.destroy());
      incoming.pipe(onward);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const close = async () => {
      agent.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    };
    proxy = new ReverseProxy(`https://localhost:${(server.address() as AddressInfo).port}`, close);
    return proxy;
  }

  #answer(response: ServerResponse, { status, type, body }: Instead): void {
    this.answered += 1;
    response.writeHead(status, { 'content-type': type }).end(body);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }
}

async function identityOf(keyturn: TestInstance): Promise<{ cert: string; key: Buffer }> {
  using caKey = await keyturn.serving.instance.store.read(systemRecord('ca', 1));
  const ca = openServerCa(await readFile(join(keyturn.home, 'listener', 'ca.crt'), 'utf8'), caKey);
  const identity = await caSource({ ca, names: ['localhost'] }).due(null, Date.now());
  if (identity === null) throw new Error('The CA gave no certificate.');
  using privateKey = identity.privateKeyPem;
  return { cert: identity.certificatePem, key: Buffer.from(privateKey.bytes) };
}
