import type { Told } from './explaining-handler.ts';

/** The request handler that undici 7 still gives to its own `request`, `stream` and `fetch`. */
interface LegacyHandler {
  onConnect?(...facts: unknown[]): unknown;
  onHeaders?(...facts: unknown[]): unknown;
  onData?(...facts: unknown[]): unknown;
  onComplete?(...facts: unknown[]): unknown;
  onError?(error: unknown): unknown;
  onUpgrade?(...facts: unknown[]): unknown;
  onBodySent?(...facts: unknown[]): unknown;
  onRequestSent?(...facts: unknown[]): unknown;
  onResponseStarted?(...facts: unknown[]): unknown;
}

export function isLegacyHandler(handler: object): handler is LegacyHandler {
  return 'onError' in handler;
}

/** Passes everything on, and has an error explained before the application's handler sees it. */
export class ExplainingLegacyHandler implements LegacyHandler {
  readonly #handler: LegacyHandler;
  readonly #told: Told;
  #answered = false;

  constructor(handler: LegacyHandler, told: Told) {
    this.#handler = handler;
    this.#told = told;
  }

  onConnect(...facts: unknown[]): unknown {
    return this.#handler.onConnect?.(...facts);
  }

  onHeaders(...facts: unknown[]): unknown {
    this.#answered = true;
    const [status] = facts;
    if (typeof status === 'number') this.#told.answered(status);
    return this.#handler.onHeaders?.(...facts);
  }

  onData(...facts: unknown[]): unknown {
    return this.#handler.onData?.(...facts);
  }

  onComplete(...facts: unknown[]): unknown {
    return this.#handler.onComplete?.(...facts);
  }

  onError(error: unknown): unknown {
    this.#told.failed(error, this.#answered);
    return this.#handler.onError?.(error);
  }

  onUpgrade(...facts: unknown[]): unknown {
    return this.#handler.onUpgrade?.(...facts);
  }

  onBodySent(...facts: unknown[]): unknown {
    return this.#handler.onBodySent?.(...facts);
  }

  onRequestSent(...facts: unknown[]): unknown {
    return this.#handler.onRequestSent?.(...facts);
  }

  onResponseStarted(...facts: unknown[]): unknown {
    return this.#handler.onResponseStarted?.(...facts);
  }
}
