import { constants } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';
import type { CredentialOptions } from '../../src/client/index.ts';
import {
  type ClientEvents,
  type ClientMetrics,
  type Credential,
  connect,
  type KeyturnClient,
} from '../../src/client/index.ts';
import { type Issued, TestCa } from '../fakes/ca.ts';
import { CREDENTIAL, FakeKeyturn, type Lent, TOKEN } from '../fakes/keyturn-server.ts';
import { TestTime } from './time.ts';

/** One request that reached the echo server. */
export interface Echoed {
  readonly commonName: string;
  readonly serial: string;
  readonly resumed: boolean;
  readonly path: string;
  readonly socket: TLSSocket;
}

/** An mTLS server that answers with who called it, and remembers. */
export interface EchoServer extends AsyncDisposable {
  readonly endpoint: string;
  readonly url: string;
  readonly ca: TestCa;
  readonly seen: Echoed[];
  readonly server: Server;
}

export async function startEcho(ca: TestCa, maxVersion: 'TLSv1.2' | 'TLSv1.3' = 'TLSv1.3'): Promise<EchoServer> {
  const identity = await ca.server();
  const seen: Echoed[] = [];
  const server = createServer(
    {
      key: identity.keyPem,
      cert: identity.certificatePem,
      ca: ca.certificatePem,
      requestCert: true,
      rejectUnauthorized: true,
      maxVersion,
      secureOptions: constants.SSL_OP_NO_TICKET,
    },
    (request, response) => {
      const socket = request.socket as TLSSocket;
      const peer: DetailedPeerCertificate = socket.getPeerCertificate(true);
      const { CN: commonName } = peer.subject;
      const echoed = {
        commonName: String(commonName),
        serial: peer.serialNumber.toLowerCase().replace(/^0+/, ''),
        resumed: socket.isSessionReused(),
        path: request.url ?? '',
        socket,
      };
      seen.push(echoed);
      if (request.url === '/hang') return;
      if (request.url?.startsWith('/status/')) response.statusCode = Number(request.url.slice(8));
      if (request.url === '/redirect') {
        response.statusCode = 302;
        response.setHeader('location', 'https://elsewhere.example/');
      }
      const length = request.headers['x-length'];
      if (typeof length === 'string') response.setHeader('content-length', length);
      if (request.url === '/echo') return void request.pipe(response);
      response.setHeader('x-serial', echoed.serial);
      response.end(JSON.stringify({ commonName, headers: request.headers }));
    },
  );
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const endpoint = `localhost:${(server.address() as AddressInfo).port}`;
  const stop = async (): Promise<void> => {
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  };
  return { endpoint, url: `https://${endpoint}`, ca, seen, server, [Symbol.asyncDispose]: stop };
}

/** What happened, in order. */
export class Told {
  readonly events: { readonly name: keyof ClientEvents; readonly event: Record<string, unknown> }[] = [];
  readonly #waiting: { readonly name: string; readonly count: number; readonly resolve: () => void }[] = [];

  readonly listeners = Object.fromEntries(
    (['leased', 'renewed', 'rotated', 'drained', 'alarm', 'ended', 'refused', 'warning'] as const).map((name) => [
      name,
      (event: object) => this.#add(name, { ...event }),
    ]),
  );

  of(name: keyof ClientEvents): Record<string, unknown>[] {
    return this.events.filter((told) => told.name === name).map(({ event }) => event);
  }

  codes(name: 'alarm' | 'ended' | 'refused'): unknown[] {
    return this.of(name).map(({ error, reason }) => ((error ?? reason) as { code?: string } | null)?.code);
  }

  /** Settled when `name` was told `count` times in all. */
  until(name: keyof ClientEvents, count = 1): Promise<void> {
    if (this.of(name).length >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ name, count, resolve }));
  }

  #add(name: keyof ClientEvents, event: Record<string, unknown>): void {
    this.events.push({ name, event });
    for (const waiting of this.#waiting) {
      if (waiting.name === name && this.of(name).length >= waiting.count) waiting.resolve();
    }
  }
}

/** A credential in use: Keyturn (the fake), the partner (an echo), frozen time. */
export interface Scene extends AsyncDisposable {
  readonly keyturn: FakeKeyturn;
  readonly partner: EchoServer;
  readonly ca: TestCa;
  readonly time: TestTime;
  readonly told: Told;
  readonly client: KeyturnClient;
  readonly credential: Credential;
}

export interface SceneOptions {
  readonly lent?: Partial<Lent>;
  readonly credential?: CredentialOptions;
  readonly metrics?: ClientMetrics;
  readonly tls?: 'TLSv1.2' | 'TLSv1.3';
}

export async function startScene(options: SceneOptions = {}): Promise<Scene> {
  const ca = await TestCa.create('Partner CA');
  const partner = await startEcho(ca, options.tls);
  const issued = options.lent?.issued ?? (await ca.client({ commonName: 'v1' }));
  const trust = { mode: 'pinned', pem: ca.certificatePem } as const;
  const endpoints = [partner.endpoint];
  const keyturn = await FakeKeyturn.start({ trust, endpoints, chain: ca.certificatePem, ...options.lent, issued });
  const time = new TestTime();
  const told = new Told();
  const client = await connect({
    connection: keyturn.connection(),
    token: () => Buffer.from(TOKEN),
    on: told.listeners,
    clock: time,
    scheduler: time,
    random: () => 0.5,
    // Its timers would stand among those that tests count.
    watch: false,
    ...(options.metrics === undefined ? {} : { metrics: options.metrics }),
  });
  const credential = await client.credential(CREDENTIAL, options.credential);
  const dispose = async (): Promise<void> => {
    await client.close();
    await keyturn.stop();
    await partner[Symbol.asyncDispose]();
  };
  return { keyturn, partner, ca, time, told, client, credential, [Symbol.asyncDispose]: dispose };
}

/** Makes another version current at the fake. */
export async function promote(scene: Scene, version: number): Promise<Issued> {
  const issued = await scene.ca.client({ commonName: `v${version}` });
  Object.assign(scene.keyturn.lent, { version, issued });
  return issued;
}
