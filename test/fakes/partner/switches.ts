/** Trouble that a partner can make. Changed while it runs by {@link Partner.set}. */
export interface Switches {
  /** One live certificate an app: issuing a new one kills the others at once. */
  readonly onlyNewest: boolean;
  /** Milliseconds before every API answer. */
  readonly delayMs: number;
  readonly failWith: Failure | null;
  /** New connections get a server certificate of a CA that nobody knows. */
  readonly wrongChain: boolean;
  /** Revoked certificates go on working, as at a partner that publishes a CRL and never loads it. */
  readonly keepAcceptingRevoked: boolean;
  /**
   * How a client without a good certificate is turned away: by a TLS alert in the handshake, by HTTP 400 after it
   * (as nginx does), or by a bare close after it (as a Node server does).
   */
  readonly refuseBy: 'alert' | 'status' | 'close';
}

/** API answers that are `status` instead: the `next` so many, or an evenly spread `share` (0 to 1), or all. */
export type Failure =
  | { readonly status: number; readonly next: number }
  | { readonly status: number; readonly share: number }
  | { readonly status: number };

export const QUIET: Switches = {
  onlyNewest: false,
  delayMs: 0,
  failWith: null,
  wrongChain: false,
  keepAcceptingRevoked: false,
  refuseBy: 'status',
};

/** Decides which answers fail. No chance is involved: a share of 0.25 fails every fourth request. */
export class FailurePlan {
  readonly #failure: Failure | null;
  #count = 0;

  constructor(failure: Failure | null) {
    this.#failure = failure;
  }

  /** The status to answer this request with, or null for the real answer. */
  next(): number | null {
    const failure = this.#failure;
    if (failure === null) return null;
    this.#count += 1;
    if ('next' in failure) return this.#count <= failure.next ? failure.status : null;
    const share = 'share' in failure ? failure.share : 1;
    return Math.floor(this.#count * share) > Math.floor((this.#count - 1) * share) ? failure.status : null;
  }
}
