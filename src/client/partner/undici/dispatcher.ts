import { isError, KeyturnError } from '../../../core/errors.ts';
import { attach, failedCall, isExplainable } from '../../diagnosis/explained-error.ts';
import type { Endpoint } from '../endpoints.ts';
import type { Follower, Identity } from '../identity.ts';
import { outlived } from '../version-agent.ts';
import { ExplainingHandler, isHandler, type Told } from './explaining-handler.ts';
import { ExplainingLegacyHandler, isLegacyHandler } from './explaining-legacy-handler.ts';
import type { Connected, DispatcherLike, Undici, UndiciModule } from './module.ts';
import { VersionPools } from './version-pools.ts';

/**
 * One dispatcher for an application's undici that survives swaps: each version has pools of its own behind it. What the
 * credential's agent refuses is refused here too.
 */
export class KeyturnDispatcher implements Follower {
  /** An instance of the module's own `Dispatcher`. */
  readonly dispatcher: object;
  readonly #undici: Undici;
  readonly #identity: Identity;
  readonly #draining = new Set<VersionPools>();
  #current: VersionPools | null = null;

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
  async swapped(): Promise<number> {
    const old = this.#current;
    this.#current = null;
    if (old === null) return 0;
    const { scheduler, drainMs } = this.#identity.options;
    this.#draining.add(old);
    let cut = 0;
    const cancel = scheduler.after(drainMs, () => {
      cut = old.destroy(outlived(old.of.material.version));
    });
    await old.close();
    cancel();
    this.#draining.delete(old);
    return cut;
  }

  ended(reason: KeyturnError): void {
    const pools = [...this.#draining, ...(this.#current === null ? [] : [this.#current])];
    this.#current = null;
    for (const each of pools) each.destroy(reason);
  }

  #dispatch(options: object, handler: object): boolean {
    const admitted = this.#admit('origin' in options ? String(options.origin) : '');
    const understood = this.#understood(handler);
    if (admitted instanceof KeyturnError) return this.#refusing(admitted).dispatch(options, understood);
    const pools = this.#pools();
    const { material } = pools.of;
    const connectedBefore = pools.connected;
    const explain = (error: unknown, answered: boolean): void => {
      // undici does not tell which connection an error is of. One that was made meanwhile is taken for the request's.
      const reused = pools.connected === connectedBefore;
      if (!isError(error) || !isExplainable(error)) return;
      const failed = failedCall(pools.rootOf(error), { host: admitted.name, reused, answered });
      attach(error, this.#identity.explain(failed, material));
    };
    const told = {
      failed: explain,
      answered: (status: number): void => {
        if (this.#identity.refusesBy(status)) this.#identity.refusedByStatus(admitted.name, status, material);
      },
    };
    return pools.dispatch(admitted, options, explaining(understood, told));
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

  #pools(): VersionPools {
    // Admitted means that there is a current version.
    const of = this.#identity.current!;
    if (this.#current?.of !== of) this.#current = new VersionPools(this.#undici, this.#identity, of);
    return this.#current;
  }
}

/** A handler that speaks neither interface is passed on as it is: undici says what is wrong with it. */
function explaining(handler: object, told: Told): object {
  if (isHandler(handler)) return new ExplainingHandler(handler, told);
  return isLegacyHandler(handler) ? new ExplainingLegacyHandler(handler, told) : handler;
}

function bare(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
}

function portOf(port: string): number {
  return port === '' ? 443 : Number(port);
}
