/** Who hears of a request what an application's handler hears. */
export interface Told {
  failed(error: unknown, answered: boolean): void;
  /** The response began with this status. */
  answered(status: number): void;
}

/** undici's request handler as of its version 7.2; every member is optional there. */
interface Handler {
  onRequestStart?(...facts: unknown[]): unknown;
  onRequestUpgrade?(...facts: unknown[]): unknown;
  onRequestSent?(...facts: unknown[]): unknown;
  onBodySent?(...facts: unknown[]): unknown;
  onResponseStarted?(...facts: unknown[]): unknown;
  onResponseStart?(...facts: unknown[]): unknown;
  onResponseData?(...facts: unknown[]): unknown;
  onResponseEnd?(...facts: unknown[]): unknown;
  onResponseError?(controller: unknown, error: unknown): unknown;
}

export function isHandler(handler: object): handler is Handler {
  return 'onRequestStart' in handler;
}

/** Passes everything on, and has an error explained before the application's handler sees it. */
export class ExplainingHandler implements Handler {
  readonly #handler: Handler;
  readonly #told: Told;
  #answered = false;

  constructor(handler: Handler, told: Told) {
    this.#handler = handler;
    this.#told = told;
  }

  onRequestStart(...facts: unknown[]): unknown {
    return this.#handler.onRequestStart?.(...facts);
  }

  onRequestUpgrade(...facts: unknown[]): unknown {
    return this.#handler.onRequestUpgrade?.(...facts);
  }

  onRequestSent(...facts: unknown[]): unknown {
    return this.#handler.onRequestSent?.(...facts);
  }

  onBodySent(...facts: unknown[]): unknown {
    return this.#handler.onBodySent?.(...facts);
  }

  onResponseStarted(...facts: unknown[]): unknown {
    return this.#handler.onResponseStarted?.(...facts);
  }

  onResponseStart(...facts: unknown[]): unknown {
    this.#answered = true;
    const [, status] = facts;
    if (typeof status === 'number') this.#told.answered(status);
    return this.#handler.onResponseStart?.(...facts);
  }

  onResponseData(...facts: unknown[]): unknown {
    return this.#handler.onResponseData?.(...facts);
  }

  onResponseEnd(...facts: unknown[]): unknown {
    return this.#handler.onResponseEnd?.(...facts);
  }

  onResponseError(controller: unknown, error: unknown): unknown {
    this.#told.failed(error, this.#answered);
    return this.#handler.onResponseError?.(controller, error);
  }
}
