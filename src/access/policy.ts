import { createHash } from 'node:crypto';
import { canonicalJson } from '../core/canonical-json.ts';
import { timestamp } from '../core/clock.ts';
import { type Binding, isExpired, longestFirst, mismatches, type Role } from './binding.ts';
import { isCredentialName } from './credential-name.ts';
import type { AccessRequest, Decision } from './decision.ts';
import { type Explanation, explain } from './explanation.ts';
import { isPersonOnly, type Permission } from './permission.ts';
import { isSoundPrincipal } from './principal.ts';

/** A verdict that the policy's author demands; every one is tried before a policy comes into force. */
export interface Expectation {
  readonly principal: string;
  readonly permission: Permission;
  /** Null when the permission is not about one credential. */
  readonly credential: string | null;
  readonly expect: 'allow' | 'deny';
  /** Instant to try it at, milliseconds since the epoch; null for the instant of loading. */
  readonly at: number | null;
}

export interface PolicyContent {
  readonly roles: readonly Role[];
  readonly bindings: readonly Binding[];
  readonly expectations: readonly Expectation[];
}

/** Questions whose grants are kept: a few for each service. */
const MAX_QUESTIONS = 4_096;

/** A binding, and the decision that it leads to while it lasts. */
interface Grant {
  readonly binding: Binding;
  readonly decision: Decision;
}

/**
 * Who may do what: pure and immutable. Denies by default; a binding can only add, so the order and the split into
 * files mean nothing. Made by `loadPolicy`, which checks the content.
 */
export class Policy {
  readonly roles: readonly Role[];
  readonly bindings: readonly Binding[];
  readonly expectations: readonly Expectation[];
  /** SHA-256 over the content in canonical form, lower-case hex: equal for equal rules, however they are filed. */
  readonly digest: string;
  readonly #grants = new Map<string, readonly Grant[]>();

  private constructor({ roles, bindings, expectations }: PolicyContent) {
    this.roles = roles;
    this.bindings = bindings;
    this.expectations = expectations;
    this.digest = digestOf(roles, bindings, expectations);
  }

  static of(content: PolicyContent): Policy {
    return new Policy(content);
  }

  decide(request: AccessRequest): Decision {
    const question = questionOf(request);
    const known = this.#grants.get(question);
    if (known !== undefined) return weigh(known, request);
    return refuseOutright(request) ?? weigh(this.#fitting(question, request), request);
  }

  /**
   * The decision with every binding that was considered. `own` is fit for the principal itself: it leaves out what
   * concerns others. `full` also names the others' bindings and who holds the permission: for those who may read
   * the policy.
   */
  explain(request: AccessRequest, view: 'own' | 'full' = 'own'): Explanation {
    return explain(this.bindings, request, this.decide(request), view);
  }

  /**
   * What grants this at some time, the one that lasts longest first. Which these are depends on nothing but the request
   * and the rules, which never change, so it is kept; whether they grant it now is not.
   */
  #fitting(question: string, request: AccessRequest): readonly Grant[] {
    const grants = this.bindings
      .filter((binding) => mismatches(binding, request).every((miss) => miss === 'expired'))
      .sort(longestFirst)
      .map((binding) => ({ binding, decision: allowed(request, binding) }));
    if (this.#grants.size >= MAX_QUESTIONS) this.#grants.clear();
    this.#grants.set(question, grants);
    return grants;
  }
}

/** All that a decision depends on but the time. The lengths keep apart what texts of a caller's choice run together. */
function questionOf({ principal, permission, credential }: AccessRequest): string {
  const about = credential === null ? '' : `=${credential}`;
  return `${permission} ${principal.kind} ${principal.id.length} ${principal.id} ${about}`;
}

function weigh(grants: readonly Grant[], request: AccessRequest): Decision {
  const grant = grants.find(({ binding }) => !isExpired(binding, request.now));
  if (grant !== undefined) return grant.decision;
  const [expired] = grants;
  if (expired === undefined) return denied('default-deny', `No binding grants ${request.permission}.`);
  const { id, expiresAt } = expired.binding;
  return denied('binding-expired', `Binding ${id} ended at ${timestamp(expiresAt ?? 0)}.`);
}

/** What no binding can grant; null when the bindings decide. */
function refuseOutright({ principal, permission, credential }: AccessRequest): Decision | null {
  if (!isSoundPrincipal(principal)) return denied('default-deny', 'The principal is not well-formed.');
  if (credential !== null && !isCredentialName(credential)) {
    return denied('default-deny', 'The name of the credential is not canonical.');
  }
  if (isPersonOnly(permission) && principal.kind !== 'person') {
    return denied('person-only', `Only a person can have ${permission}.`);
  }
  return null;
}

function allowed({ principal }: AccessRequest, { id, role, expiresAt }: Binding): Decision {
  return { allow: true, rule: id, reason: `Binding ${id} gives ${principal.id} the role ${role.name}.`, expiresAt };
}

function denied(rule: string, reason: string): Decision {
  return { allow: false, rule, reason, expiresAt: null };
}

function digestOf(roles: readonly Role[], bindings: readonly Binding[], expectations: readonly Expectation[]): string {
  const content = {
    roles: inOrder(roles.map(({ permissions, ...role }) => ({ ...role, permissions: [...permissions].sort() }))),
    bindings: inOrder(
      bindings.map(({ role, principals, credentials, ...binding }) => ({
        ...binding,
        role: role.name,
        principals: [...principals].sort(),
        credentials: credentials.map(({ text }) => text).sort(),
      })),
    ),
    expectations: inOrder(expectations.map((expectation) => ({ ...expectation }))),
  };
  return createHash('sha256').update(`[${content.roles},${content.bindings},${content.expectations}]`).digest('hex');
}

/** A JSON list of `items` in the order of their own canonical forms. */
function inOrder(items: Parameters<typeof canonicalJson>[0][]): string {
  return `[${items.map(canonicalJson).sort().join(',')}]`;
}
