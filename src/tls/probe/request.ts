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
  /** For handshake, request and head of the answer together. */
  readonly timeoutMs: number;
}

/** What the partner's profile lists as a refused certificate. */
export type ProbeRefusal =
  | { readonly kind: 'alert' }
  | { readonly kind: 'close' }
  | { readonly kind: 'status'; readonly status: number };
