import {
  ConsecutiveBreaker,
  circuitBreaker,
  handleWhen,
  isBrokenCircuitError,
  TimeoutStrategy,
  timeout,
} from 'cockatiel';
import { ProxyError } from '../../core/egress/proxy-error.ts';
import { type Circuit, circuitOf } from '../circuit.ts';
import { type Attempts, watchingAttempts } from './failure/attempts.ts';
import { noCredentials } from './failure/credential-sources.ts';
import type { Call } from './failure/operation.ts';
import { awsError, REASONS, reasonOf } from './failure/reason.ts';
import { translate } from './failure/translate.ts';

export interface GuardOptions {
  /** One call with all its attempts, in milliseconds. */
  readonly callMs: number;
  /** How long the circuit stays open after five failures in a row, in milliseconds. */
  readonly breakMs: number;
  readonly onCircuit: (circuit: Circuit) => void;
}

/** Failures in a row that open the circuit. */
const BREAK_AFTER = 5;

/**
 * Deadline and circuit breaker around each call of an SDK client, and its errors made ours. Repeating an attempt is
 * left to the SDK. Credentials are fetched first, so that their absence is told apart, and is certain.
 */
export class Guard {
  readonly #credentials: () => Promise<unknown>;
  readonly #callMs: number;
  readonly #breaker;

  constructor(credentials: () => Promise<unknown>, { callMs, breakMs, onCircuit }: GuardOptions) {
    this.#credentials = credentials;
    this.#callMs = callMs;
    this.#breaker = circuitBreaker(
      handleWhen((error) => {
        const reason = reasonOf(error);
        return reason !== null && REASONS[reason].trips;
      }),
      { halfOpenAfter: breakMs, breaker: new ConsecutiveBreaker(BREAK_AFTER) },
    );
    this.#breaker.onStateChange((state) => onCircuit(circuitOf(state)));
  }

  get circuit(): Circuit {
    return circuitOf(this.#breaker.state);
  }

  async run<T>(call: Call, send: (signal: AbortSignal) => Promise<T>): Promise<T> {
    try {
      return await this.#breaker.execute(() => this.within(this.#callMs, call, send));
    } catch (error) {
      if (!isBrokenCircuitError(error)) throw error;
      throw awsError('circuit_open', 'AWS failed several times in a row and is left alone for some seconds.', {
        fix: 'See the errors before this one; the next attempt comes by itself.',
      });
    }
  }

  /** One call beside the breaker, for questions about health. */
  async within<T>(ms: number, call: Call, send: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const limit = timeout(ms, TimeoutStrategy.Aggressive);
    const attempts: Attempts = { started: 0, errors: [] };
    await limit
      .execute(() => this.#credentials())
      .catch(async (error: unknown) => {
        throw error instanceof ProxyError ? translate(error, call, attempts) : await noCredentials(error);
      });
    try {
      return await watchingAttempts(attempts, () => limit.execute(({ signal }) => send(signal)));
    } catch (error) {
      throw reasonOf(error) === null ? translate(asTimeout(error), call, attempts) : error;
    }
  }
}

function asTimeout(error: unknown): unknown {
  if (!(error instanceof Error) || !('isTaskCancelledError' in error)) return error;
  return Object.assign(new Error('The call took too long.'), { name: 'TimeoutError' });
}
