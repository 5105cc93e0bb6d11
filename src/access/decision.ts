import type { Permission, Principal } from './permission.ts';

export interface AccessRequest {
  readonly principal: Principal;
  readonly permission: Permission;
  /** Credential name; null when the permission is not about one credential. */
  readonly credential: string | null;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** A verdict that explains itself. */
export interface Decision {
  readonly allow: boolean;
  /** Stable id of what decided: a binding's id, or `default-deny`, `binding-expired`, `person-only`. */
  readonly rule: string;
  /** One sentence for people. */
  readonly reason: string;
  /** When the grant ends (milliseconds since the epoch); null for an open-ended grant or a denial. */
  readonly expiresAt: number | null;
}
