import type { Principal } from '../access/permission.ts';

/** Who is behind one request, as authenticated. */
export interface Caller {
  readonly principal: Principal;
  /** The API token that proved it. */
  readonly token: { readonly id: string; readonly expiresAt: number };
  /** Request id, recorded in every entry the request causes. */
  readonly request: string;
  /** The client's address as the listener saw it; the subject of a hold on a host. */
  readonly host: string;
}
