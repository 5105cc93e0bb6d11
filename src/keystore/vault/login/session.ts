import { answerObject, numberAt, objectAt } from '../client/answer.ts';
import type { TokenSource } from '../client/client.ts';
import { reasonOf, vaultError } from '../client/reason.ts';
import type { Grant, LoginClient, LoginMethod } from './method.ts';

/** Timers and time of a session, so that tests can turn them. */
export interface SessionTime {
  /** Monotonic milliseconds. */
  readonly monotonic: () => number;
  /** Calls back once; the answer cancels it. Must not keep the process alive. */
  readonly after: (milliseconds: number, call: () => void) => () => void;
  /** 0 to 1, for jitter. */
  readonly random: () => number;
}

export const systemTime: SessionTime = {
  monotonic: () => performance.now(),
  after: (milliseconds, call) => {
    const timer = setTimeout(call, milliseconds).unref();
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};

/** Longest wait of one timer: Node turns anything from 2^31 ms on into 1 ms. */
const MAX_WAIT_MS = 24 * 3_600_000;
const MIN_WAIT_MS = 1_000;
/** Shortest time between two logins that refused tokens ask for, so that a wrong policy is no flood of logins. */
const LOGIN_PAUSE_MS = 1_000;

/**
 * One token, kept alive: renewed at two thirds of its life, replaced by a new login when renewal is refused or gives
 * less than half of the first life (its maximum is near), or when the server refuses it. One login at a time,
 * whoever waits for it.
 */
export class Session implements TokenSource {
  readonly #method: LoginMethod;
  readonly #client: LoginClient;
  readonly #time: SessionTime;
  #grant: (Grant & { readonly at: number }) | null = null;
  #login: Promise<Grant> | null = null;
  #cancel: () => void = () => {};
  #closed = false;
  #replacedAt = Number.NEGATIVE_INFINITY;

  constructor(method: LoginMethod, client: LoginClient, time: SessionTime = systemTime) {
    this.#method = method;
    this.#client = client;
    this.#time = time;
  }

  get description(): string {
    return this.#method.description;
  }

  async token(): Promise<string> {
    const grant = this.#grant;
    if (grant !== null && !this.#isOver(grant)) return grant.token;
    return (await this.#loggedIn()).token;
  }

  async replace(refused: string): Promise<string | null> {
    const grant = this.#grant;
    if (grant !== null && grant.token !== refused) return grant.token;
    if (!this.#method.repeatable) return null;
    const now = this.#time.monotonic();
    if (now - this.#replacedAt < LOGIN_PAUSE_MS) return null;
    this.#replacedAt = now;
    const { token } = await this.#loggedIn();
    return token === refused ? null : token;
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
    this.#grant = null;
  }

  #loggedIn(): Promise<Grant> {
    if (this.#closed) return Promise.reject(vaultError('closed', 'The key store is closed.'));
    this.#login ??= this.#method
      .login(this.#client)
      .then((grant) => this.#keep(grant, grant.leaseSeconds))
      .finally(() => {
        this.#login = null;
      });
    return this.#login;
  }

  #keep(grant: Grant, firstLeaseSeconds: number): Grant {
    this.#cancel();
    if (this.#closed) return grant;
    this.#grant = { ...grant, at: this.#time.monotonic() };
    if (grant.leaseSeconds > 0 && this.#method.renews) {
      this.#wait(grant.leaseSeconds * 1000 * (0.6 + 0.1 * this.#time.random()), () => this.#renew(firstLeaseSeconds));
    }
    return grant;
  }

  /** Waits longer than one timer may, in pieces. */
  #wait(milliseconds: number, call: () => void): void {
    const piece = Math.min(Math.max(milliseconds, MIN_WAIT_MS), MAX_WAIT_MS);
    const left = milliseconds - piece;
    this.#cancel = this.#time.after(piece, () => (left > 0 ? this.#wait(left, call) : call()));
  }

  /** Never rejects: what fails here is tried again, and shows when a request needs the token. */
  async #renew(firstLeaseSeconds: number): Promise<void> {
    const grant = this.#grant;
    if (grant === null) return;
    try {
      const leaseSeconds = grant.renewable ? await this.#renewedFor(grant.token) : 0;
      if (leaseSeconds >= firstLeaseSeconds / 2) this.#keep({ ...grant, leaseSeconds }, firstLeaseSeconds);
      else if (this.#method.repeatable) await this.#loggedIn();
      // Short as it is, there is no other to be had: its maximum may be near, or what a renewal gives be less.
      else if (leaseSeconds > 0) this.#keep({ ...grant, leaseSeconds }, leaseSeconds);
    } catch (error) {
      if (reasonOf(error) === 'forbidden' && this.#method.repeatable) this.#grant = null;
      else if (this.#method.repeatable || this.#left(grant) > 0)
        this.#wait(this.#left(grant) / 3, () => this.#renew(firstLeaseSeconds));
    }
  }

  async #renewedFor(token: string): Promise<number> {
    const answer = await this.#client.post('auth/token/renew-self', {}, token);
    const auth = objectAt(answerObject(answer.octets), 'auth');
    answer.octets.fill(0);
    return numberAt(auth, 'lease_duration') ?? 0;
  }

  /** Milliseconds of its life that are left. */
  #left(grant: Grant & { readonly at: number }): number {
    return Math.max(0, grant.at + grant.leaseSeconds * 1000 - this.#time.monotonic());
  }

  #isOver(grant: Grant & { readonly at: number }): boolean {
    return grant.leaseSeconds > 0 && this.#method.repeatable && this.#left(grant) === 0;
  }
}
