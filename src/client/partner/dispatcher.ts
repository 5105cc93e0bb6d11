import type { Duplex } from 'node:stream';
import { KeyturnError } from '../../core/errors.ts';
import { attach, failedCall, isExplainable } from '../diagnosis/explained-error.ts';
import type { Endpoint } from './endpoints.ts';
import { ExplainingHandler, isHandler } from './explaining-handler.ts';
import { ExplainingLegacyHandler, isLegacyHandler } from './explaining-legacy-handler.ts';
import type { Follower, Identity } from './identity.ts';
import type { VersionAgent } from './version-agent.ts';

type Connected = (error: Error | null, socket: Duplex | null) => void;
type Connector = (options: ConnectorOptions, callback: Connected) => void;

interface ConnectorOptions {
  readonly hostname: string;
  /** Empty for 443. */
  readonly port: string;
  readonly protocol: string;
  readonly localAddress?: string | null;
  readonly servername?: string;
}

interface DispatcherLike {
  dispatch(options: object, handler: object): boolean;
  close(): Promise<void>;
  destroy(error: Error | null): Promise<void>;
}

/** What is used of the undici module that an application passes in; `import * as undici from 'undici'` fits, 7 and 8. */
export interface UndiciModule {
  readonly Agent: new (options: never) => object;
  readonly Dispatcher: new () => object;
  readonly buildConnector: (options: never) => unknown;
}

/** The same, as it is called. */
interface Undici {
  readonly Agent: new (options: object) => DispatcherLike;
  readonly Dispatcher: new () => object;
  readonly buildConnector: (options: object) => Connector;
  /** undici 8: takes the handlers of older versions, such as the one inside Node 24. */
  readonly Dispatcher1Wrapper?: { readonly wrapHandler?: (this: void, handler: object) => object };
}

/**
 * One dispatcher for an application's undici that survives swaps: each version has an undici agent of its own behind
 * it. What the credential's agent refuses is refused here too.
 */
export class KeyturnDispatcher implements Follower {
  /** An instance of the module's own `Dispatcher`. */
  readonly dispatcher: object;
  readonly #undici: Undici;
  readonly #identity: Identity;
  readonly #draining = new Set<DispatcherLike>();
  /** Connections made so far. */
  #connected = 0;
  #inner: { readonly of: VersionAgent; readonly agent: DispatcherLike } | null = null;

  constructor(module: UndiciModule, identity: Identity) {
    const undici = module as unknown as Undici;
    this.#undici = undici;
    this.#identity = identity;
    const dispatch = (options: object, handler: object): boolean => this.#dispatch(options, handler);
    this.dispatcher = new (class extends undici.Dispatcher {
      dispatch(options: object, handler: object): boolean {
        return dispatch(options, handler);
      }

      /** Ends with the credential, not before: others may hold it as well. */
      async close(): Promise<void> {}
      async destroy(): Promise<void> {}
    })();
    identity.follow(this);
  }

  /** New requests open connections of the new version; the old ones finish what runs, within the drain's bound. */
  async swapped(): Promise<void> {
    const old = this.#inner?.agent;
    this.#inner = null;
    if (old === undefined) return;
    const { scheduler, drainMs } = this.#identity.options;
    this.#draining.add(old);
    const cancel = scheduler.after(drainMs, () => void old.destroy(null));
    const gone = (): void => {
      cancel();
      this.#draining.delete(old);
    };
    await old.close().then(gone, gone);
  }

  ended(reason: KeyturnError): void {
    const agents = [...this.#draining, ...(this.#inner === null ? [] : [this.#inner.agent])];
    this.#inner = null;
    for (const agent of agents) agent.destroy(reason).catch(() => {});
  }

  #dispatch(options: object, handler: object): boolean {
    const admitted = this.#admit('origin' in options ? String(options.origin) : '');
    const understood = this.#understood(handler);
    if (admitted instanceof KeyturnError) return this.#refusing(admitted).dispatch(options, understood);
    const { agent, of } = this.#current();
    const connectedBefore = this.#connected;
    const explain = (error: unknown, answered: boolean): void => {
      // undici does not tell which connection an error is of. One that was made meanwhile is taken for the request's.
      const reused = this.#connected === connectedBefore;
      if (!(error instanceof Error) || !isExplainable(error)) return;
      attach(error, this.#identity.explain(failedCall(error, { host: admitted.name, reused, answered }), of.material));
    };
    const told = {
      failed: explain,
      answered: (status: number): void => {
        if (this.#identity.refusesBy(status)) this.#identity.refusedByStatus(admitted.name, status, of.material);
      },
    };
    if (isHandler(understood)) return agent.dispatch(options, new ExplainingHandler(understood, told));
    if (isLegacyHandler(understood)) return agent.dispatch(options, new ExplainingLegacyHandler(understood, told));
    return agent.dispatch(options, understood);
  }

  #admit(origin: string): Endpoint | KeyturnError {
    const url = URL.parse(origin);
    if (url?.protocol === 'https:') return this.#identity.admit(bare(url.hostname), portOf(url.port));
    return new KeyturnError(
      'host_not_allowed',
      'The URL is not https: a client certificate is never used without TLS.',
      { fix: 'Call the https URL of the partner.' },
    );
  }

  /** The `fetch` of Node 24 speaks an older handler interface than undici 8 understands. */
  #understood(handler: object): object {
    const wrap = this.#undici.Dispatcher1Wrapper?.wrapHandler;
    return 'onRequestStart' in handler || wrap === undefined ? handler : wrap(handler);
  }

  /** Its connections never come to be, so that undici itself reports the reason, by whatever interface the caller has. */
  #refusing(reason: KeyturnError): DispatcherLike {
    return new this.#undici.Agent({ connect: (_options: object, callback: Connected) => callback(reason, null) });
  }

  #current(): { readonly of: VersionAgent; readonly agent: DispatcherLike } {
    // Admitted means that there is a current version.
    const of = this.#identity.current!;
    if (this.#inner?.of !== of) this.#inner = { of, agent: new this.#undici.Agent(this.#agentOptions(of)) };
    return this.#inner;
  }

  #agentOptions(of: VersionAgent): object {
    const connect = this.#undici.buildConnector({
      secureContext: of.material.secureContext,
      rejectUnauthorized: true,
      maxCachedSessions: 0,
      allowH2: false,
    });
    return { allowH2: false, connect: this.#connector(connect) };
  }

  #connector(connect: Connector): Connector {
    return ({ protocol, hostname, port, localAddress = null }, callback) => {
      const endpoint = this.#identity.endpoints.find(bare(hostname), portOf(port));
      if (endpoint === undefined) return callback(new KeyturnError('host_not_allowed', 'No longer allowed.'), null);
      // Not the name that undici took from a Host header: the server must prove to be the host of the lease.
      const { host, servername } = endpoint.options;
      const options = { protocol, hostname: host, port: String(endpoint.options.port), localAddress };
      connect(servername === '' ? options : { ...options, servername }, (error, socket) => {
        this.#connected += 1;
        callback(error, socket);
      });
    };
  }
}

function bare(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
}

function portOf(port: string): number {
  return port === '' ? 443 : Number(port);
}
