import { KeyturnError } from '../../core/errors.ts';
import type { LedgerStatus } from '../ledger.ts';

type State = LedgerStatus['state'];

const REJECTION: Record<Exclude<State, 'ready'>, string> = {
  stalled: 'The ledger hangs, so nothing is recorded and nothing is returned',
  failed: 'The ledger has failed, so nothing is recorded and nothing is returned',
  closed: 'The ledger is closed',
};

/** Whether the ledger may still answer. Once it may not, only an adapter that can learn the truth says otherwise. */
export class Health {
  #state: State = 'ready';
  #detail = '';
  readonly #fix: string;
  readonly #recovers: boolean;
  readonly #onEnd: ((error: KeyturnError) => void)[] = [];

  /** `fix`: what to do about a ledger that hangs or has failed. `recovers`: one that hangs may answer again. */
  constructor({ fix, recovers }: { readonly fix: string; readonly recovers: boolean }) {
    this.#fix = fix;
    this.#recovers = recovers;
  }

  get state(): State {
    return this.#state;
  }

  get detail(): string {
    return this.#detail;
  }

  get isReady(): boolean {
    return this.#state === 'ready';
  }

  /** Called whenever the ledger stops answering, with the error for all that waits. */
  onEnd(listener: (error: KeyturnError) => void): void {
    this.#onEnd.push(listener);
  }

  /** The first end is the one that counts; only one that recovers may still fail, or be closed, while it hangs. */
  end(state: Exclude<State, 'ready'>, detail: string): void {
    const hangs = this.#recovers && this.#state === 'stalled' && state !== 'stalled';
    if (this.#state !== 'ready' && !hangs) return;
    this.#state = state;
    this.#detail = detail;
    const error = this.#unavailable(state);
    for (const listener of this.#onEnd) listener(error);
  }

  /** A ledger that hung answers again, and what became of all that was sent to it is known. */
  recover(): void {
    if (!this.#recovers || this.#state !== 'stalled') return;
    this.#state = 'ready';
    this.#detail = '';
  }

  /** @throws KeyturnError `ledger_unavailable`. */
  assertReady(): void {
    if (this.#state !== 'ready') throw this.#unavailable(this.#state);
  }

  #unavailable(state: Exclude<State, 'ready'>): KeyturnError {
    const detail = this.#detail === '' ? '' : `: ${this.#detail}`;
    return new KeyturnError('ledger_unavailable', `${REJECTION[state]}${detail}.`, {
      fix: state === 'closed' ? 'Start the server again.' : this.#fix,
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
