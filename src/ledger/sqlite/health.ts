import { KeyturnError } from '../../core/errors.ts';
import type { LedgerStatus } from '../ledger.ts';

type State = LedgerStatus['state'];

const REJECTION: Record<Exclude<State, 'ready'>, string> = {
  stalled: 'The ledger hangs, so nothing is recorded and nothing is returned',
  failed: 'The ledger has failed, so nothing is recorded and nothing is returned',
  closed: 'The ledger is closed',
};

/** Whether the ledger may still answer. Once it may not, it never may again in this process. */
export class Health {
  #state: State = 'ready';
  #detail = '';
  readonly #onEnd: ((error: KeyturnError) => void)[] = [];

  get state(): State {
    return this.#state;
  }

  get detail(): string {
    return this.#detail;
  }

  get isReady(): boolean {
    return this.#state === 'ready';
  }

  /** Called once, when the ledger stops answering, with the error for all that waits. */
  onEnd(listener: (error: KeyturnError) => void): void {
    this.#onEnd.push(listener);
  }

  /** The first end is the one that counts. */
  end(state: Exclude<State, 'ready'>, detail: string): void {
    if (this.#state !== 'ready') return;
    this.#state = state;
    this.#detail = detail;
    const error = this.#unavailable(state);
    for (const listener of this.#onEnd) listener(error);
  }

  /** @throws KeyturnError `ledger_unavailable`. */
  assertReady(): void {
    if (this.#state !== 'ready') throw this.#unavailable(this.#state);
  }

  #unavailable(state: Exclude<State, 'ready'>): KeyturnError {
    const detail = this.#detail === '' ? '' : `: ${this.#detail}`;
    return new KeyturnError('ledger_unavailable', `${REJECTION[state]}${detail}.`, {
      fix:
        state === 'closed' ? 'Start the server again.' : 'Look after the disk of the ledger, then restart the server.',
      facts: { state },
    });
  }
}

/** For more at a time than is held in memory; nothing is broken. */
export function busy(what: string): KeyturnError {
  return new KeyturnError('ledger_unavailable', `The ledger is busy: ${what}.`, {
    fix: 'Try again in a moment.',
    facts: { state: 'ready', busy: true },
  });
}

/** For a change that comes after `close` was called. */
export function closing(): KeyturnError {
  return new KeyturnError('ledger_unavailable', `${REJECTION.closed}.`, {
    fix: 'Start the server again.',
    facts: { state: 'closed' },
  });
}
