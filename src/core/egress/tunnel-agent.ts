import { Agent, type AgentOptions, type RequestOptions } from 'node:https';
import type { Duplex } from 'node:stream';
import { type ConnectionOptions, connect } from 'node:tls';
import type { Egress } from './egress.ts';
import { openTunnel } from './tunnel.ts';

type Given = (error: Error | null, stream: Duplex) => void;

/**
 * An agent whose connections go the way that the egress says, in a pool by destination as every agent's. Its TLS options
 * are for the destination alone; a proxy sees none of them.
 */
export class TunnelAgent extends Agent {
  readonly #egress: Egress;
  readonly #tunnelMs: number;
  #ways = new AbortController();

  /** `tunnelMs`: until a proxy has opened the way, in milliseconds. */
  constructor(options: AgentOptions, egress: Egress, tunnelMs: number) {
    super(options);
    this.#egress = egress;
    this.#tunnelMs = tunnelMs;
  }

  override createConnection(options: RequestOptions, callback?: Given): Duplex | null | undefined {
    const { host, port } = options;
    const place = { host: host ?? 'localhost', port: Number(port ?? 443) };
    const { proxy } = this.#egress.wayTo(place.host, place.port);
    if (proxy === null) return super.createConnection(options, callback);
    openTunnel(proxy, place, this.#tunnelMs, this.#ways.signal).then(
      // As without a proxy, the socket is handed over before the handshake: whoever waits for `secureConnect` gets it.
      (socket) => callback?.(null, connect({ ...tlsOptions(options as ConnectionOptions), socket })),
      (error: Error) => fail(callback, error),
    );
    return undefined;
  }

  /** Ways that are not open yet are given up; Node's agent knows of none. */
  override destroy(): void {
    this.#ways.abort();
    this.#ways = new AbortController();
    super.destroy();
  }
}

/** Node's agent hands on what it was made with, TLS options among it, though the type names those of requests alone. */
function tlsOptions(options: ConnectionOptions & { readonly socketPath?: unknown }): ConnectionOptions {
  const { path: _path, socketPath: _socketPath, ...others } = options;
  return others;
}

/** Node's own agent takes no stream beside an error, whatever the type of its callback says. */
function fail(callback: Given | undefined, error: Error): void {
  (callback as ((error: Error) => void) | undefined)?.(error);
}
