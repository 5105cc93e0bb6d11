import type { CredentialPattern } from './credential-pattern.ts';
import type { AccessRequest } from './decision.ts';
import { isAboutNoCredential, type Permission } from './permission.ts';

export interface Role {
  readonly name: string;
  /** For people. */
  readonly title: string;
  readonly permissions: ReadonlySet<Permission>;
}

/** A role given to principals, for the credentials that match. */
export interface Binding {
  readonly id: string;
  readonly role: Role;
  /** Exact ids: an identity never is a pattern, and never enters one. */
  readonly principals: ReadonlySet<string>;
  readonly credentials: readonly CredentialPattern[];
  /** Last instant at which it grants anything, milliseconds since the epoch; null for no end. */
  readonly expiresAt: number | null;
  /** Why it was given, for whoever reviews it. */
  readonly comment: string;
}

export type Mismatch = 'principal' | 'permission' | 'credential' | 'expired';

/** Everything for which `binding` does not grant `request`; empty when it does. */
export function mismatches(binding: Binding, request: AccessRequest): Mismatch[] {
  const found: Mismatch[] = [];
  if (!binding.principals.has(request.principal.id)) found.push('principal');
  if (!binding.role.permissions.has(request.permission)) found.push('permission');
  if (!covers(binding, request.permission, request.credential)) found.push('credential');
  if (isExpired(binding, request.now)) found.push('expired');
  return found;
}

/** What is about no single credential (a hold on a host, the audit log) takes a grant on all. */
function covers(binding: Binding, permission: Permission, credential: string | null): boolean {
  if (credential === null || isAboutNoCredential(permission)) {
    return binding.credentials.some((pattern) => pattern.matchesEverything);
  }
  return binding.credentials.some((pattern) => pattern.matches(credential));
}

/** False at the very instant of `expiresAt`, as the ledger's own check of the same instant at the commit. */
export function isExpired({ expiresAt }: Binding, now: number): boolean {
  // Written so that a time that is not a number expires the binding.
  return expiresAt !== null && !(now <= expiresAt);
}

/** Sorts the grant that lasts longest first; those that end together by id. A total order: ids are unique. */
export function longestFirst(a: Binding, b: Binding): number {
  const [endOfA, endOfB] = [a.expiresAt ?? Number.POSITIVE_INFINITY, b.expiresAt ?? Number.POSITIVE_INFINITY];
  if (endOfA !== endOfB) return endOfA > endOfB ? -1 : 1;
  return a.id < b.id ? -1 : 1;
}
