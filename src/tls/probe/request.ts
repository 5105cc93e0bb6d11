/** A harmless request that tells whether a certificate is accepted, as the partner's profile has it. */
export interface ProbeRequest {
  /** `host:port`. */
  readonly host: string;
  readonly method: string;
  readonly path: string;
  /** Names in lower case. What is secret in them is the caller's to hold short. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** Statuses that say that the certificate was accepted. */
  readonly expect: readonly number[];
  /** Answers that say that the certificate is not registered there (yet). Default: none. */
  readonly unregistered?: readonly UnregisteredAnswer[];
  /** For handshake, request and head of the answer together. */
  readonly timeoutMs: number;
}

export interface UnregisteredAnswer {
  readonly status: number;
  /** Stands in the first octets of the body, upper or lower case; absent: the status alone says it. */
  readonly contains?: string | undefined;
}

/** What the partner's profile lists as a refused certificate. */
export type ProbeRefusal =
  | { readonly kind: 'alert' }
  | { readonly kind: 'close' }
  | { readonly kind: 'status'; readonly status: number };
