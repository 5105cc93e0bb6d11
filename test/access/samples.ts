import fc from 'fast-check';
import type { Binding, Role } from '../../src/access/binding.ts';
import { CredentialPattern } from '../../src/access/credential-pattern.ts';
import type { AccessRequest } from '../../src/access/decision.ts';
import { PERMISSIONS } from '../../src/access/permission.ts';
import { Policy } from '../../src/access/policy.ts';
import { principalOf } from '../../src/access/principal.ts';

/** A small world, so that bindings and requests often meet. */
export const NOW = Date.parse('2026-11-23T10:00:00Z');

const segment = fc.constantFrom('lean', 'sandbox', 'production', 'acme');
export const credential = fc.array(segment, { minLength: 2, maxLength: 3 }).map((parts) => parts.join('/'));

export const pattern = fc
  .oneof(
    credential,
    fc.tuple(segment, fc.constantFrom('*', '**')).map((parts) => parts.join('/')),
    fc.tuple(fc.constant('*'), segment).map((parts) => parts.join('/')),
    fc.constantFrom('**', '*/**', '*/*', '*/*/*'),
  )
  .map((text) => CredentialPattern.parse(text));

export const principal = fc
  .constantFrom('service:payments', 'service:ledger', 'person:alice', 'person:bob', 'person:carol')
  .map(principalOf);

export const permission = fc.constantFrom(...PERMISSIONS);

const role: fc.Arbitrary<Role> = fc.record({
  name: fc.constantFrom('one', 'two', 'three'),
  title: fc.constant('A role'),
  permissions: fc.uniqueArray(permission, { minLength: 1, maxLength: 8 }).map((list) => new Set(list)),
});

const expiresAt = fc.oneof(fc.constant(null), fc.constantFrom(NOW - 1, NOW, NOW + 1, NOW + 60_000));

export const bindings: fc.Arbitrary<Binding[]> = fc.uniqueArray(
  fc.record({
    id: fc.nat(30).map((n) => `binding-${n}`),
    role,
    principals: fc
      .uniqueArray(principal, { minLength: 1, maxLength: 3 })
      .map((list) => new Set(list.map(({ id }) => id))),
    credentials: fc.array(pattern, { minLength: 1, maxLength: 3 }),
    expiresAt,
    comment: fc.constant('For a test'),
  }),
  { maxLength: 8, selector: ({ id }) => id },
);

export const request: fc.Arbitrary<AccessRequest> = fc.record({
  principal,
  permission,
  credential: fc.oneof(fc.constant(null), credential, credential, credential),
  now: fc.constant(NOW),
});

export function policyOf(list: readonly Binding[]): Policy {
  return Policy.of({ roles: [...new Set(list.map((binding) => binding.role))], bindings: list, expectations: [] });
}
