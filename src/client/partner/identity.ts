import { type ErrorCode, KeyturnError } from '../../core/errors.ts';
import { diagnose, type FailedCall, mayBeRefusal } from '../diagnosis/diagnose.ts';
import type { Material } from '../lease/material.ts';
import type { TimeLeft } from '../lease/time-left.ts';
import type { Scheduler } from '../scheduler.ts';
import type { LeaseAnswer, Refusal, Use } from '../wire.ts';
import { type Endpoint, Endpoints } from './endpoints.ts';
import { UnreportedUses } from './unreported-uses.ts';
import { VersionAgent } from './version-agent.ts';

/** Told what happens towards the partner. */
export interface IdentityWatcher {
  /** A request found the lease over; the watcher ends the identity. */
  expired(): void;
  /** No connection of `version` is left, by whatever way it was called; `cut` of them were ended by force. */
  drained(version: number, cut: number): void;
  /** Nothing of `version` is in use any more. */
  released(version: number): void;
  /** The partner refused us: `error` by connection, `status` by a listed HTTP status. */
  refused(refusal: {
    readonly host: string;
    readonly error: KeyturnError | null;
    readonly status: number | null;
  }): void;
  /** A call failed for whatever reason. */
  failed(host: string, code: ErrorCode): void;
}

/** Something that keeps connections of its own by version, and has to follow. */
export interface Follower {
  /** Settled when its connections of the old version are gone, with how many were cut; never rejects. */
  swapped(): Promise<number>;
  ended(reason: KeyturnError): void;
}

export interface IdentityOptions {
  readonly credential: string;
  readonly scheduler: Scheduler;
  /** Wall clock, milliseconds since the epoch. */
  readonly now: () => number;
  /** Longest time that the connections of an old version may live on. */
  readonly drainMs: number;
}

/**
 * Who we are towards the partner at this moment: one version, its connections, and whom it may call. Swapped as a
 * whole; a request sees either the old or the new one. Starts ended.
 */
export class Identity {
  readonly options: IdentityOptions;
  readonly #watcher: IdentityWatcher;
  readonly #followers = new Set<Follower>();
  readonly #draining = new Set<VersionAgent>();
  /** Old versions that something of is still in use. */
  readonly #leaving = new Set<VersionAgent>();
  readonly #uses: UnreportedUses;
  #endpoints = new Endpoints([]);
  #refusals: readonly Refusal[] = [];
  #time: TimeLeft | null = null;
  #current: VersionAgent | null = null;
  #ended: KeyturnError = new KeyturnError('client_closed', 'There is no lease yet.');

  constructor(options: IdentityOptions, watcher: IdentityWatcher) {
    this.options = options;
    this.#watcher = watcher;
    this.#uses = new UnreportedUses(options.now);
  }

  /** Null when ended. */
  get current(): VersionAgent | null {
    return this.#current;
  }

  get endpoints(): Endpoints {
    return this.#endpoints;
  }

  /** Why requests fail; null while they do not. */
  get endReason(): KeyturnError | null {
    return this.#current === null ? this.#ended : null;
  }

  /** True when the partner refuses by this HTTP status, according to its profile. */
  refusesBy(status: number): boolean {
    return this.#refusals.some((refusal) => refusal.kind === 'status' && refusal.status === status);
  }

  get refusesByStatus(): boolean {
    return this.#refusals.some(({ kind }) => kind === 'status');
  }

  /** The endpoint when a request may go there now, else why not. Called for every request. */
  admit(host: string, port: number): Endpoint | KeyturnError {
    if (this.#time?.over() === true) this.#watcher.expired();
    if (this.#current === null) return copyOf(this.#ended);
    const endpoint = this.#endpoints.find(host, port);
    if (endpoint === undefined) return notAllowed(this.options.credential, `${host}:${port}`, this.#endpoints.names);
    endpoint.requests += 1;
    return endpoint;
  }

  /** Takes what an answer says; `material` null keeps the version. */
  take(answer: LeaseAnswer, material: Material | null, time: TimeLeft): void {
    this.#time = time;
    this.#refusals = answer.refusals;
    const others = answer.endpoints.join() !== this.#endpoints.names.join();
    if (material !== null || others) this.#countUses();
    if (others) this.#endpoints = new Endpoints(answer.endpoints);
    if (material !== null) this.#swap(material);
  }

  /** Fails closed: connections are cut, and requests on them and all later ones fail with `reason`. */
  end(reason: KeyturnError): void {
    this.#countUses();
    this.#ended = reason;
    this.#time = null;
    const cut = [...this.#draining, ...(this.#current === null ? [] : [this.#current])];
    this.#current = null;
    for (const agent of cut) agent.cut(copyOf(reason));
    for (const follower of this.#followers) follower.ended(copyOf(reason));
  }

  takeUses(): Use[] {
    this.#countUses();
    return this.#uses.take();
  }

  keepUses(uses: readonly Use[]): void {
    this.#uses.add(uses);
  }

  /** Versions in use: the current one, and those before it that requests still run on. */
  inUse(): number[] {
    const agents = [...(this.#current === null ? [] : [this.#current]), ...this.#leaving];
    return [...new Set(agents.map(({ material }) => material.version))];
  }

  follow(follower: Follower): void {
    this.#followers.add(follower);
  }

  unfollow(follower: Follower): void {
    this.#followers.delete(follower);
  }

  /** Says why a call failed and tells the watcher. */
  explain(call: FailedCall, material: Material): KeyturnError {
    const situation = { presented: material, refusals: this.#refusals, now: this.options.now() };
    const error = diagnose(call, situation);
    this.#watcher.failed(call.host, error.code);
    if (mayBeRefusal(call, error)) this.#uses.fail(material.version, call.host);
    if (error.code === 'partner_refused') this.#watcher.refused({ host: call.host, error, status: null });
    return error;
  }

  /** `material`: what the request was sent with. */
  refusedByStatus(host: string, status: number, material: Material): void {
    this.#uses.fail(material.version, host);
    this.#watcher.refused({ host, error: null, status });
  }

  /** Under the version they were made with: called before that changes. */
  #countUses(): void {
    if (this.#current !== null) this.#uses.add(this.#endpoints.takeUses(this.#current.material.version));
  }

  #swap(material: Material): void {
    const old = this.#current;
    this.#current = new VersionAgent(material);
    const following = [...this.#followers].map((follower) => follower.swapped());
    if (old === null) return;
    this.#leaving.add(old);
    void Promise.all([this.#drain(old), ...following]).then((cuts) => {
      const { version } = old.material;
      const cut = cuts.reduce((sum, each) => sum + each, 0);
      this.#leaving.delete(old);
      this.#watcher.drained(version, cut);
      this.#watcher.released(version);
    });
  }

  /** Gives how many connections were cut. */
  #drain(old: VersionAgent): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<number>();
    this.#draining.add(old);
    old.drain(this.options.drainMs, this.options.scheduler, (cut) => {
      this.#draining.delete(old);
      resolve(cut);
    });
    return promise;
  }
}

/** Each failing request gets an error of its own, whose stack is its own. */
export function copyOf({ code, message, fix, facts }: KeyturnError): KeyturnError {
  return new KeyturnError(code, message, { facts, ...(fix === undefined ? {} : { fix }) });
}

function notAllowed(credential: string, host: string, allowed: readonly string[]): KeyturnError {
  return new KeyturnError('host_not_allowed', `${credential} may not call ${host.slice(0, 260)}.`, {
    fix: `Call one of ${allowed.join(', ')}, or add the host to the partner profile.`,
    facts: { host: host.slice(0, 260) },
  });
}
