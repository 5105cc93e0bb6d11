import type { ClientRequest } from 'node:http';
import { Agent, type RequestOptions } from 'node:https';
import type { Duplex } from 'node:stream';
import { KeyturnError } from '../../core/errors.ts';
import type { Material } from '../lease/material.ts';
import type { Scheduler } from '../scheduler.ts';
import type { ConnectOptions } from './endpoints.ts';

/** Idle connections are closed after this long, or a second before the partner says it will (`keep-alive: timeout=`). */
const IDLE_MS = 30_000;
const MAX_FREE_SOCKETS = 256;

/**
 * The connections of one version, and of no other: a connection pool, and a session cache, know nothing of client
 * certificates given by `secureContext`, so nothing may be shared between versions.
 */
export class VersionAgent extends Agent {
  /**
   * How `https.request` hands a request to its agent: not documented, but what agents of every kind have stood on
   * since Node 0.11.
   */
  declare addRequest: (request: ClientRequest, options: object) => void;
  readonly material: Material;
  #draining = false;
  #cutReason: KeyturnError | null = null;
  readonly #open = new Set<Duplex>();
  #whenEmpty: (() => void) | null = null;
  #cancelBound: () => void = () => {};

  constructor(material: Material) {
    super({
      secureContext: material.secureContext,
      // Said aloud, so that NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment changes nothing.
      rejectUnauthorized: true,
      keepAlive: true,
      scheduling: 'lifo',
      maxFreeSockets: MAX_FREE_SOCKETS,
      timeout: IDLE_MS,
      // A ticket is a bearer form of the client certificate, and outlives its revocation at some partners.
      maxCachedSessions: 0,
    });
    this.material = material;
  }

  /** Node's own name grows with every TLS option and is built several times a request; ours is fixed. */
  override getName(options?: RequestOptions & Partial<ConnectOptions>): string {
    return options?.poolName ?? '';
  }

  override keepSocketAlive(socket: Duplex): boolean {
    return !this.#draining && Boolean(super.keepSocketAlive(socket));
  }

  override createConnection(options: RequestOptions, callback?: (error: Error | null, stream: Duplex) => void) {
    const socket = super.createConnection(options, callback);
    if (socket != null) {
      this.#open.add(socket);
      socket.once('close', () => this.#closed(socket));
    }
    return socket;
  }

  /** Open connections, idle ones included. */
  get openSockets(): number {
    return this.#open.size;
  }

  /**
   * Lets the requests that run finish, keeps no connection after its request, and cuts what is left after `boundMs`.
   * `done` is called once, with the number of connections that were cut.
   */
  drain(boundMs: number, scheduler: Scheduler, done: (cut: number) => void): void {
    let cut = 0;
    this.#whenEmpty = () => done(cut);
    this.#draining = true;
    this.#cancelBound = scheduler.after(boundMs, () => {
      cut = this.#open.size;
      this.cut(outlived(this.material.version));
    });
    for (const free of Object.values(this.freeSockets)) for (const socket of free ?? []) socket.destroy();
    if (this.#open.size === 0) this.#empty();
  }

  /**
   * Ends every connection at once. Requests without an answer fail as on any lost connection, and `cutReason` says why.
   * The sockets get no error of ours: it would become an `error` event on requests that are answered already, where
   * nobody listens any more.
   */
  cut(reason: KeyturnError): void {
    this.#draining = true;
    this.#cutReason = reason;
    for (const socket of this.#open) socket.destroy();
  }

  /** Why the connections were cut; null when they were not. */
  get cutReason(): KeyturnError | null {
    return this.#cutReason;
  }

  #closed(socket: Duplex): void {
    this.#open.delete(socket);
    if (this.#open.size === 0) this.#empty();
  }

  #empty(): void {
    this.#cancelBound();
    const whenEmpty = this.#whenEmpty;
    this.#whenEmpty = null;
    whenEmpty?.();
  }
}

/** Why what ran past the bound of the drain was cut. */
export function outlived(version: number): KeyturnError {
  return new KeyturnError(
    'lease_superseded',
    `The request ran longer than version ${version} may after its replacement.`,
    {
      fix: 'Repeat the request if it may be repeated, or raise drainMs.',
      facts: { version },
    },
  );
}
