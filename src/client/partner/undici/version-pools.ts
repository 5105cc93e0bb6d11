import type { Duplex } from 'node:stream';
import { KeyturnError } from '../../../core/errors.ts';
import type { Endpoint } from '../endpoints.ts';
import type { Identity } from '../identity.ts';
import type { VersionAgent } from '../version-agent.ts';
import type { Connector, DispatcherLike, Undici } from './module.ts';

/**
 * The connections that an application's undici keeps for one version, and for no other: a pool an endpoint. Not an
 * undici `Agent`: one that is closed forgets its pools, so what still ran on them could not be cut any more.
 */
export class VersionPools {
  readonly of: VersionAgent;
  readonly #undici: Undici;
  readonly #identity: Identity;
  readonly #connect: Connector;
  readonly #pools = new Map<string, DispatcherLike>();
  /** Open connections, those too that an upgrade has taken out of their pool. */
  readonly #sockets = new Set<Duplex>();
  /** What a connection failed with first, by what it failed with last. */
  readonly #first = new WeakMap<Error, Error>();
  #connected = 0;

  constructor(undici: Undici, identity: Identity, of: VersionAgent) {
    this.of = of;
    this.#undici = undici;
    this.#identity = identity;
    this.#connect = undici.buildConnector({
      secureContext: of.material.secureContext,
      rejectUnauthorized: true,
      maxCachedSessions: 0,
      allowH2: false,
    });
  }

  /** Connections made so far. */
  get connected(): number {
    return this.#connected;
  }

  dispatch(endpoint: Endpoint, options: object, handler: object): boolean {
    const pool = this.#pools.get(endpoint.name) ?? this.#open(endpoint);
    return pool.dispatch(options, handler);
  }

  /**
   * What ended the connection that a request failed with. Over TLS 1.3 an alert arrives as an error of the connection,
   * and undici tells the request of the close that follows it.
   */
  rootOf(error: Error): Error {
    return this.#first.get(error) ?? error;
  }

  /** Lets the requests that run finish. Settled when nothing is left, by {@link destroy} at the latest; never rejects. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#pools.values()].map((pool) => pool.close()));
    await Promise.all([...this.#sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve))));
  }

  /** Ends every connection at once, and says how many there were; requests fail with `reason`. */
  destroy(reason: KeyturnError): number {
    const open = this.#sockets.size;
    for (const pool of this.#pools.values()) pool.destroy(reason).catch(() => {});
    for (const socket of this.#sockets) socket.destroy();
    return open;
  }

  #open(endpoint: Endpoint): DispatcherLike {
    const pool = new this.#undici.Pool(`https://${endpoint.name}`, {
      allowH2: false,
      connect: this.#connectorTo(endpoint),
    });
    this.#pools.set(endpoint.name, pool);
    return pool;
  }

  #connectorTo({ options: { host, port, servername } }: Endpoint): Connector {
    return ({ protocol, localAddress = null }, callback) => {
      if (this.#identity.endpoints.find(host, port) === undefined) {
        return callback(new KeyturnError('host_not_allowed', 'No longer allowed.'), null);
      }
      // Not the name that undici took from a Host header: the server must prove to be the host of the lease.
      const options = { protocol, hostname: host, port: String(port), localAddress };
      this.#connect(servername === '' ? options : { ...options, servername }, (error, socket) => {
        this.#connected += 1;
        if (socket) this.#watch(socket);
        callback(error, socket);
      });
    };
  }

  #watch(socket: Duplex): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    let first: Error | null = null;
    // Heard before undici hears it, which fails the request as the socket closes.
    socket.on('error', (error) => {
      if (first === null) first = error;
      else if (error !== first) this.#first.set(error, first);
    });
  }
}
