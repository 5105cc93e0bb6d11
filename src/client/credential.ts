import { EventEmitter } from 'node:events';
import type { Agent } from 'node:https';
import { inspect } from 'node:util';
import { timestamp } from '../core/clock.ts';
import { KeyturnError } from '../core/errors.ts';
import { type ClientListeners, type ClientMetrics, type CredentialEvents, callSafely } from './events.ts';
import { type FetchInit, partnerFetch } from './fetch/fetch.ts';
import type { Accepted } from './lease/accept.ts';
import { Companions } from './lease/companions.ts';
import { type LeaseDesk, type LeaseHolder, LeaseKeeper } from './lease/keeper.ts';
import type { TimeLeft } from './lease/time-left.ts';
import { Identity, type IdentityWatcher } from './partner/identity.ts';
import { MtlsAgent } from './partner/mtls-agent.ts';
import { KeyturnDispatcher } from './partner/undici/dispatcher.ts';
import type { UndiciModule } from './partner/undici/module.ts';
import type { Use } from './wire.ts';

export interface CredentialOptions {
  /** Wished life of the leases in seconds; the server may give less. Default: the server's own. */
  readonly ttlSeconds?: number;
  /** Longest time that requests on a replaced version may still run, in milliseconds. Default: 60,000. */
  readonly drainMs?: number;
}

export interface CredentialStatus {
  readonly credential: string;
  readonly state: 'live' | 'ended' | 'closed';
  /** Version in use; null when there is none. */
  readonly version: number | null;
  /** SHA-256 of the SubjectPublicKeyInfo, lower-case hex; null when there is none. */
  readonly spki: string | null;
  /** Whole seconds, by this process's clocks; 0 when there is no lease. */
  readonly secondsLeft: number;
  readonly endpoints: readonly string[];
  /** Why requests fail; null while they do not. */
  readonly reason: KeyturnError | null;
}

/** What a client gives its credentials. */
export interface CredentialParts {
  readonly desk: LeaseDesk;
  readonly listeners: ClientListeners;
  readonly metrics: ClientMetrics;
  /** Called once when the credential is closed. */
  readonly closed: (credential: Credential) => void;
}

const DRAIN_MS = 60_000;

/**
 * A leased identity towards one partner. Its agent, `fetch` and dispatcher always use the version that is current;
 * renewal and swap happen by themselves, without keeping the process alive. Fails closed: see the `ended` event.
 */
export class Credential extends EventEmitter<CredentialEvents> implements AsyncDisposable {
  readonly name: string;
  readonly #parts: CredentialParts;
  readonly #keeper: LeaseKeeper;
  readonly #identity: Identity;
  readonly #agent: MtlsAgent;
  readonly #companions = new Companions();
  readonly #dispatchers = new Map<UndiciModule, KeyturnDispatcher>();
  #time: TimeLeft | null = null;
  #closing: Promise<void> | null = null;

  private constructor(name: string, options: CredentialOptions, parts: CredentialParts) {
    super();
    this.name = name;
    this.#parts = parts;
    const { scheduler, clock } = parts.desk;
    const drainMs = options.drainMs ?? DRAIN_MS;
    this.#identity = new Identity({ credential: name, scheduler, now: () => clock.now(), drainMs }, this.#watcher());
    this.#agent = new MtlsAgent(this.#identity);
    this.#keeper = new LeaseKeeper(parts.desk, this.#holder(options.ttlSeconds ?? null));
  }

  /** @throws KeyturnError why no lease could be had. */
  static async lease(name: string, options: CredentialOptions, parts: CredentialParts): Promise<Credential> {
    const credential = new Credential(name, options, parts);
    await credential.#keeper.start();
    return credential;
  }

  /**
   * The same agent every time: for `https.request`, axios (`httpsAgent`) and got (`agent: { https }`). It refuses
   * requests that carry TLS options or go to a host outside the lease.
   */
  mtlsAgent(): Agent {
    return this.#agent;
  }

  /** As the global `fetch`, for https URLs of the lease's hosts; does not follow redirects. Needs no `this`. */
  readonly fetch = (url: string | URL, init?: FetchInit): Promise<Response> =>
    partnerFetch({ agent: this.#agent, identity: this.#identity }, url, init);

  /**
   * A dispatcher made with the application's own undici (7 or 8), one for each: for `undici.fetch`, `undici.request`,
   * and for the global `fetch`.
   */
  dispatcher<U extends UndiciModule>(undici: U): InstanceType<U['Dispatcher']> {
    const known = this.#dispatchers.get(undici) ?? new KeyturnDispatcher(undici, this.#identity);
    this.#dispatchers.set(undici, known);
    // It is made of that very class.
    return known.dispatcher as InstanceType<U['Dispatcher']>;
  }

  /**
   * A companion secret, e.g. `lean-app-token`: a copy of its octets, for the caller to wipe.
   * @throws KeyturnError `companion_missing`; why the lease is over, when it is.
   */
  companion(name: string): Buffer {
    if (this.#time?.over() === true) this.#keeper.expire();
    const reason = this.#identity.endReason;
    if (reason !== null) throw reason;
    return this.#companions.copy(this.name, name);
  }

  /** The version in use; null when there is no lease. */
  get version(): number | null {
    return this.#identity.current?.material.version ?? null;
  }

  /** When the lease ends by this process's wall clock, unless it is renewed; null when there is none. */
  get expiresAt(): Date | null {
    return this.#time === null ? null : new Date(this.#time.endsAt);
  }

  status(): CredentialStatus {
    if (this.#time?.over() === true) this.#keeper.expire();
    const live = this.#identity.endReason === null;
    return {
      credential: this.name,
      state: this.#closing !== null ? 'closed' : live ? 'live' : 'ended',
      version: this.version,
      spki: this.#identity.current?.material.spki ?? null,
      secondsLeft: live && this.#time !== null ? Math.max(0, Math.floor(this.#time.left() / 1_000)) : 0,
      endpoints: this.#identity.endpoints.names,
      reason: this.#identity.endReason,
    };
  }

  /** Asks Keyturn now instead of when it is due. Never rejects; what comes of it are events. */
  renew(): Promise<void> {
    return this.#keeper.ask();
  }

  /** A server told of a freeze of this credential, or of one version of it. Never rejects. */
  toldFrozen(version: number | null): Promise<void> {
    return this.#keeper.ask(version === null || version === this.version ? 'end' : 'ride-out');
  }

  /** Ends every connection, wipes what is held and gives the lease back if a server can be reached. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Public facts alone, however deep one looks. */
  [inspect.custom](): string {
    return `Credential { ${this.name}, version ${this.version ?? 'none'} }`;
  }

  toJSON(): object {
    return { credential: this.name, version: this.version };
  }

  async #close(): Promise<void> {
    this.#identity.end(new KeyturnError('client_closed', `${this.name} was closed by this process.`));
    this.#companions.wipe();
    this.#time = null;
    this.#parts.closed(this);
    await this.#keeper.stop();
  }

  #watcher(): IdentityWatcher {
    const credential = this.name;
    return {
      expired: () => void this.#keeper.expire(),
      drained: (version, cut) => this.#tell('drained', { credential, version, cut }),
      released: () => this.#keeper.report(),
      refused: (refusal) => this.#tell('refused', { credential, version: this.version ?? 0, ...refusal }),
      failed: (host, code) => callSafely(() => this.#parts.metrics.partnerFailure?.({ credential, host, code })),
    };
  }

  #holder(ttlSeconds: number | null): LeaseHolder {
    const credential = this.name;
    return {
      credential,
      ttlSeconds,
      held: () => this.#identity.current?.material ?? null,
      takeUses: () => this.#identity.takeUses(),
      keepUses: (uses: readonly Use[]) => this.#identity.keepUses(uses),
      inUse: () => this.#identity.inUse(),
      accepted: (accepted, time, call) => this.#take(accepted, time, call),
      ended: (reason) => this.#end(reason),
      alarm: (error) => {
        const secondsLeft = this.#time === null ? 0 : Math.max(0, Math.floor(this.#time.left() / 1_000));
        this.#tell('alarm', { credential, error, secondsLeft });
      },
      called: (call, outcome, milliseconds) =>
        callSafely(() => this.#parts.metrics.leaseCall?.({ credential, call, outcome, milliseconds })),
    };
  }

  #take({ answer, material, companions }: Accepted, time: TimeLeft, call: 'grant' | 'renew'): void {
    const from = this.version;
    this.#time = time;
    this.#companions.update(companions);
    this.#identity.take(answer, material, time);
    const { credential, version, lease } = answer;
    const event = { credential, version, lease, expiresAt: timestamp(time.endsAt) };
    const { metrics } = this.#parts;
    callSafely(() => metrics.leaseHeld?.({ credential, version, endsAt: time.endsAt }));
    this.#tell(call === 'grant' ? 'leased' : 'renewed', event);
    if (from === null || from === version) return;
    callSafely(() => metrics.swapped?.({ credential, from, to: version }));
    this.#tell('rotated', { credential, from, to: version });
  }

  #end(reason: KeyturnError): void {
    const live = this.#identity.endReason === null;
    this.#identity.end(reason);
    this.#companions.wipe();
    this.#time = null;
    // A credential that has ended already and is told so again has no news.
    if (!live) return;
    const credential = this.name;
    callSafely(() => this.#parts.metrics.leaseEnded?.({ credential, code: reason.code }));
    this.#tell('ended', { credential, reason });
  }

  #tell<E extends keyof CredentialEvents>(event: E, fact: CredentialEvents[E][0]): void {
    callSafely(() => {
      // The types of emit are conditional on the event, which the compiler can't resolve for a variable.
      (this as EventEmitter).emit(event, fact);
    });
    callSafely(() => this.#parts.listeners[event]?.(fact));
  }
}
