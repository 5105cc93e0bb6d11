import type { JsonObject, VaultAnswer } from '../client/answer.ts';

/** A token with what the server said of it. */
export interface Grant {
  readonly token: string;
  /** How long it lives from now; 0: for ever, or as long as somebody else sees to it. */
  readonly leaseSeconds: number;
  readonly renewable: boolean;
}

/** What a login may ask of the server: writes without a session. `token` when the request has one of its own. */
export interface LoginClient {
  post(path: string, body: JsonObject, token?: string): Promise<VaultAnswer>;
  get(path: string, token: string): Promise<VaultAnswer>;
  /** Reads the TLS client certificate and key anew. */
  renewIdentity(): void;
}

/** One way to get a token. */
export interface LoginMethod {
  /** Kind and place for people, e.g. `approle at auth/approle`. No secret. */
  readonly description: string;
  /** What to do when the server refuses it: a command, or a sentence. No secret. */
  readonly fix: string;
  /** Whether another try can bring another token. A token that was handed to us is all there is. */
  readonly repeatable: boolean;
  /** Whether the token is ours to renew. */
  readonly renews: boolean;
  /** @throws KeyturnError `keystore_unavailable` (reason `login` when refused) or what a file's reading throws. */
  login(client: LoginClient): Promise<Grant>;
}
