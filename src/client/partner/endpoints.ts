import { isIP } from 'node:net';
import type { Use } from '../wire.ts';

/** Options of one connection, made once an endpoint: nothing of what a caller passed is in them. */
export interface ConnectOptions {
  readonly host: string;
  readonly port: number;
  /** The host itself, never a Host header; empty for an IP address (RFC 6066 section 3). */
  readonly servername: string;
  /** Name of the socket pool: public, short, and the same object for every request. */
  readonly poolName: string;
}

export interface Endpoint {
  /** `host:port` as in the lease. */
  readonly name: string;
  readonly options: ConnectOptions;
  /** Requests sent to it since the last report. */
  requests: number;
}

/** The hosts that a credential may call. Looked up without building a string, since every request asks. */
export class Endpoints {
  readonly #byHost = new Map<string, Map<number, Endpoint>>();
  readonly names: readonly string[];

  /** `names` are `host:port`, lower-case ASCII, as a checked lease answer has them. */
  constructor(names: readonly string[]) {
    this.names = names;
    for (const name of names) {
      const endpoint = endpointOf(name);
      const { host, port } = endpoint.options;
      const ports = this.#byHost.get(host) ?? new Map<number, Endpoint>();
      this.#byHost.set(host, ports.set(port, endpoint));
    }
  }

  /** `host` exactly as in the lease: another spelling of the same name is another host. */
  find(host: string, port: number): Endpoint | undefined {
    return this.#byHost.get(host)?.get(port);
  }

  /** What was used since the last call, and forgets it. */
  takeUses(version: number): Use[] {
    const uses: Use[] = [];
    for (const ports of this.#byHost.values()) {
      for (const endpoint of ports.values()) {
        if (endpoint.requests > 0) uses.push({ version, host: endpoint.name, requests: endpoint.requests });
        endpoint.requests = 0;
      }
    }
    return uses;
  }
}

function endpointOf(name: string): Endpoint {
  const colon = name.lastIndexOf(':');
  const host = name.slice(0, colon).replace(/^\[|\]$/g, '');
  const port = Number(name.slice(colon + 1));
  const servername = isIP(host) === 0 ? host : '';
  return { name, options: { host, port, servername, poolName: name }, requests: 0 };
}
