import type { SecureContextOptions } from 'node:tls';
import type { Clock } from '../core/clock.ts';
import { KeyturnError } from '../core/errors.ts';
import type { ServerIdentity, ServerIdentitySource, Validity } from './server-identity.ts';

/** How often the wall clock is looked at: a timer alone would miss a jump of the clock and a sleep of the machine. */
const LOOK_EVERY_MS = 60_000;
const FIRST_RETRY_MS = 1_000;

/** Runs `task` once after `delayMs`; the answer cancels it. */
export type Schedule = (delayMs: number, task: () => void) => () => void;

/** Timers that do not keep the process alive. */
export const systemSchedule: Schedule = (delayMs, task) => {
  const timer = setTimeout(task, delayMs).unref();
  return () => clearTimeout(timer);
};

export type ListenerCertificateEvent =
  | { readonly kind: 'renewed'; readonly notAfter: number }
  /** The certificate before it stays in force; the next try is in `retryInMs`. */
  | { readonly kind: 'failed'; readonly error: unknown; readonly retryInMs: number };

export interface ListenerCertificateOptions {
  readonly source: ServerIdentitySource;
  readonly clock: Clock;
  /** Default: {@link systemSchedule}. */
  readonly schedule?: Schedule;
  /** For log and metrics. Must not throw. */
  readonly onEvent?: (event: ListenerCertificateEvent) => void;
}

/** The part of `tls.Server` that is used. */
export interface ContextHolder {
  setSecureContext(options: SecureContextOptions): void;
}

/**
 * Keeps the certificate of one listener fresh: asks its source every minute, swaps without touching live
 * connections, and after a failure tries again after 1 s, doubling up to a minute, with the old one in force.
 */
export class ListenerCertificate implements Disposable {
  readonly #server: ContextHolder;
  readonly #context: SecureContextOptions;
  readonly #options: ListenerCertificateOptions;
  readonly #schedule: Schedule;
  #inForce: Validity;
  #retryMs = FIRST_RETRY_MS;
  #cancel: () => void = () => {};
  #closed = false;

  private constructor(
    server: ContextHolder,
    context: SecureContextOptions,
    options: ListenerCertificateOptions,
    first: ServerIdentity,
  ) {
    this.#server = server;
    this.#context = context;
    this.#options = options;
    this.#schedule = options.schedule ?? systemSchedule;
    this.#inForce = this.#use(first);
    this.#next(LOOK_EVERY_MS);
  }

  /**
   * Gets the first certificate and puts it on the server.
   * @param context what else the secure context needs, such as the minimum version; it is set anew at each swap.
   * @throws what the source throws: without a first certificate there is nothing to serve with.
   */
  static async attach(
    server: ContextHolder,
    context: SecureContextOptions,
    options: ListenerCertificateOptions,
  ): Promise<ListenerCertificate> {
    const first = await options.source.due(null, options.clock.now());
    if (first === null) throw new KeyturnError('internal', `${options.source.description} gave no first certificate.`);
    return new ListenerCertificate(server, context, options, first);
  }

  /** End of the certificate in force, milliseconds since the epoch. */
  get notAfter(): number {
    return this.#inForce.notAfter;
  }

  /** Stops renewing. What is in force stays so. */
  close(): void {
    this.#closed = true;
    this.#cancel();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Node keeps the key option on the server object; the Buffer is zero-filled as soon as the context stands. */
  #use(identity: ServerIdentity): Validity {
    using key = identity.privateKeyPem;
    this.#server.setSecureContext({ ...this.#context, cert: identity.certificatePem, key: key.bytes });
    return { notBefore: identity.notBefore, notAfter: identity.notAfter };
  }

  #next(delayMs: number): void {
    this.#cancel = this.#schedule(delayMs, () => void this.#look());
  }

  async #look(): Promise<void> {
    const delay = await this.#renewIfDue();
    if (!this.#closed) this.#next(delay);
  }

  /** Milliseconds until the next look. */
  async #renewIfDue(): Promise<number> {
    const { source, clock, onEvent } = this.#options;
    try {
      const identity = await source.due(this.#inForce, clock.now());
      this.#retryMs = FIRST_RETRY_MS;
      if (identity === null) return LOOK_EVERY_MS;
      this.#inForce = this.#use(identity);
      onEvent?.({ kind: 'renewed', notAfter: this.notAfter });
      return LOOK_EVERY_MS;
    } catch (error) {
      const retryInMs = this.#retryMs;
      this.#retryMs = Math.min(retryInMs * 2, LOOK_EVERY_MS);
      onEvent?.({ kind: 'failed', error, retryInMs });
      return retryInMs;
    }
  }
}
