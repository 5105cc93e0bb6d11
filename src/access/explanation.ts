import { timestamp } from '../core/clock.ts';
import { type Binding, type Mismatch, mismatches } from './binding.ts';
import type { AccessRequest, Decision } from './decision.ts';
import { isAboutNoCredential, isPersonOnly, type Permission } from './permission.ts';

export interface ConsideredBinding {
  readonly binding: string;
  readonly role: string;
  readonly comment: string;
  /** RFC 3339; null for no end. */
  readonly expires: string | null;
  readonly grants: boolean;
  /** Why it does not grant this; empty when it does. */
  readonly because: readonly string[];
}

export interface Holder {
  readonly principal: string;
  readonly binding: string;
  readonly role: string;
}

/** A decision with all that led to it; plain data, ready for JSON. */
export interface Explanation {
  readonly principal: string;
  readonly permission: Permission;
  readonly credential: string | null;
  readonly decision: Decision;
  /** The permission that is missing; null when it is granted. */
  readonly missing: Permission | null;
  /** In order of id. */
  readonly bindings: readonly ConsideredBinding[];
  /** Who does hold the permission on that credential now, in order; empty in the principal's own view. */
  readonly holders: readonly Holder[];
}

/** Built on the same test as the decision, so that the two can't differ. */
export function explain(
  bindings: readonly Binding[],
  request: AccessRequest,
  decision: Decision,
  view: 'own' | 'full',
): Explanation {
  const sorted = bindings.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const shown = view === 'full' ? sorted : sorted.filter(({ principals }) => principals.has(request.principal.id));
  return {
    principal: request.principal.id,
    permission: request.permission,
    credential: request.credential,
    decision,
    missing: decision.allow ? null : request.permission,
    bindings: shown.map((binding) => consider(binding, request, decision)),
    holders: view === 'full' ? sorted.flatMap((binding) => holdersBy(binding, request)) : [],
  };
}

function consider(binding: Binding, request: AccessRequest, decision: Decision): ConsideredBinding {
  const because = mismatches(binding, request).map((mismatch) => sentence(mismatch, binding, request));
  // A binding that would match is overruled only by what no binding can grant (`person-only`, a malformed name).
  if (because.length === 0 && !decision.allow) because.push(decision.reason);
  return {
    binding: binding.id,
    role: binding.role.name,
    comment: binding.comment,
    expires: binding.expiresAt === null ? null : timestamp(binding.expiresAt),
    grants: because.length === 0,
    because,
  };
}

function sentence(mismatch: Mismatch, binding: Binding, request: AccessRequest): string {
  switch (mismatch) {
    case 'principal':
      return `It does not name ${request.principal.id}.`;
    case 'permission':
      return `Its role ${binding.role.name} has no ${request.permission}.`;
    case 'credential':
      return request.credential === null || isAboutNoCredential(request.permission)
        ? `${request.permission} is asked for all credentials, and the binding is not on **.`
        : `None of its patterns matches ${request.credential}.`;
    case 'expired':
      return `It ended at ${timestamp(binding.expiresAt ?? 0)}.`;
  }
}

function holdersBy(binding: Binding, request: AccessRequest): Holder[] {
  if (mismatches(binding, request).some((mismatch) => mismatch !== 'principal')) return [];
  return [...binding.principals]
    .filter((principal) => principal.startsWith('person:') || !isPersonOnly(request.permission))
    .sort()
    .map((principal) => ({ principal, binding: binding.id, role: binding.role.name }));
}
