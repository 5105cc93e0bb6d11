import { isExempt, isLoopback } from './no-proxy.ts';
import { bareHost, portOf } from './place.ts';
import { HttpProxy } from './proxy.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** A place that is reached through a proxy or past it, with the reason. */
export type Way =
  | { readonly proxy: HttpProxy }
  | {
      readonly proxy: null;
      /** The proxy that would have been used, and who says that it is not; null where none is named at all. */
      readonly spared: { readonly proxy: HttpProxy; readonly by: 'loopback' | 'NO_PROXY' } | null;
    };

/** How https leaves this host: which places are reached through a proxy. */
export class Egress {
  readonly #proxy: HttpProxy | null;
  readonly #noProxy: string;

  private constructor(proxy: HttpProxy | null, noProxy: string) {
    this.#proxy = proxy;
    this.#noProxy = noProxy;
  }

  /**
   * As `HTTPS_PROXY` and `NO_PROXY` say, or the same in lower case where those are unset or empty (Go's order).
   * @throws KeyturnError `config_invalid` for what is no address of an HTTP proxy.
   */
  static ofEnvironment(environment: Environment = process.env): Egress {
    const source = ['HTTPS_PROXY', 'https_proxy'].find((name) => environment[name]);
    const proxy = source === undefined ? null : HttpProxy.of(environment[source] ?? '', source, true);
    return new Egress(proxy, environment['NO_PROXY'] || environment['no_proxy'] || '');
  }

  /** Everything through this proxy, whatever NO_PROXY says. */
  static through(proxy: HttpProxy): Egress {
    return new Egress(proxy, '');
  }

  /** Whether any place is reached through a proxy. */
  get proxied(): boolean {
    return this.#proxy !== null;
  }

  /** `host` with or without the brackets of IPv6. */
  wayTo(host: string, port: number): Way {
    const proxy = this.#proxy;
    if (proxy === null) return { proxy: null, spared: null };
    const bare = bareHost(host);
    if (!proxy.exempting) return { proxy };
    if (isLoopback(bare)) return { proxy: null, spared: { proxy, by: 'loopback' } };
    if (isExempt(this.#noProxy, bare, port)) return { proxy: null, spared: { proxy, by: 'NO_PROXY' } };
    return { proxy };
  }

  /** Null for a place that is reached past every proxy. */
  proxyTo(url: URL): HttpProxy | null {
    return url.protocol === 'https:' ? this.wayTo(url.hostname, portOf(url)).proxy : null;
  }
}
