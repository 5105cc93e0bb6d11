import {
  ConsecutiveBreaker,
  circuitBreaker,
  DelegateBackoff,
  ExponentialBackoff,
  handleWhen,
  type IBackoff,
  type IRetryBackoffContext,
  isBrokenCircuitError,
  retry,
  TimeoutStrategy,
  timeout,
  wrap,
} from 'cockatiel';
import { KeyturnError } from '../../../core/errors.ts';
import { type Circuit, circuitOf } from '../../circuit.ts';
import { REASONS, reasonOf, vaultError } from './reason.ts';

export interface ResilienceOptions {
  /** One attempt, in milliseconds. */
  readonly timeoutMs: number;
  /** Attempts after the first. */
  readonly maxRetries: number;
  /** Failures in a row that open the circuit. Default: 5. */
  readonly breakAfter?: number;
  /** How long it stays open, in milliseconds. Default: 5,000. */
  readonly breakMs?: number;
  readonly onCircuit?: (circuit: Circuit) => void;
}

/** Longest wait between two attempts, in milliseconds; a server that asks for more is asked no more. */
const MAX_DELAY_MS = 1_000;

/** Time-out, retry with jitter and circuit breaker around each exchange with one server. */
export class Resilience {
  readonly #breaker;
  readonly #timeout;
  readonly #repeatable;
  readonly #once;

  constructor(options: ResilienceOptions) {
    const { timeoutMs, maxRetries, breakAfter = 5, breakMs = 5_000, onCircuit = () => {} } = options;
    this.#timeout = timeout(timeoutMs, TimeoutStrategy.Cooperative);
    this.#breaker = circuitBreaker(
      handleWhen((error) => traitsOf(error)?.trips === true),
      { halfOpenAfter: breakMs, breaker: new ConsecutiveBreaker(breakAfter) },
    );
    this.#breaker.onStateChange((state) => onCircuit(circuitOf(state)));
    this.#repeatable = wrap(retrying(maxRetries, true), this.#breaker, this.#timeout);
    this.#once = wrap(retrying(maxRetries, false), this.#breaker, this.#timeout);
  }

  get circuit(): Circuit {
    return circuitOf(this.#breaker.state);
  }

  /**
   * `repeatable`: asking twice is asking once, so that an ambiguous answer may be followed by another attempt.
   * Whatever it is, an attempt is repeated when it certainly did nothing.
   */
  async run<T>(repeatable: boolean, attempt: (signal: AbortSignal) => Promise<T>): Promise<T> {
    try {
      return await (repeatable ? this.#repeatable : this.#once).execute(({ signal }) => attempt(signal));
    } catch (error) {
      if (!isBrokenCircuitError(error)) throw error;
      throw vaultError('circuit_open', 'Vault failed several times in a row and is left alone for some seconds.', {
        fix: 'See the errors before this one; the next attempt comes by itself.',
      });
    }
  }

  /** One attempt beside retry and breaker, for questions about health. */
  once<T>(attempt: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return this.#timeout.execute(({ signal }) => attempt(signal));
  }
}

function retrying(maxAttempts: number, repeatable: boolean) {
  const jittered = new ExponentialBackoff({ initialDelay: 50, maxDelay: MAX_DELAY_MS });
  const backoff = new DelegateBackoff((context: IRetryBackoffContext<unknown>, state?: IBackoff<unknown>) => {
    const next = state === undefined ? jittered.next() : state.next(undefined);
    const asked = 'error' in context.result ? retryAfterMs(context.result.error) : 0;
    return { delay: asked + next.duration, state: next };
  });
  const policy = handleWhen((error) => mayRetry(error, repeatable));
  return retry(policy, { maxAttempts, backoff });
}

function mayRetry(error: unknown, repeatable: boolean): boolean {
  const when = traitsOf(error)?.retry ?? 'never';
  return (when === 'any' || (when === 'repeatable' && repeatable)) && retryAfterMs(error) <= MAX_DELAY_MS;
}

function retryAfterMs(error: unknown): number {
  const asked = error instanceof KeyturnError ? error.facts['retryAfterMs'] : null;
  return typeof asked === 'number' ? asked : 0;
}

function traitsOf(error: unknown) {
  const reason = reasonOf(error);
  return reason === null ? null : REASONS[reason];
}
