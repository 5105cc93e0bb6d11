import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Binding } from '../../src/access/binding.ts';
import { CredentialPattern } from '../../src/access/credential-pattern.ts';
import type { AccessRequest } from '../../src/access/decision.ts';
import { isAboutNoCredential, isPersonOnly, PERMISSIONS, type Permission } from '../../src/access/permission.ts';
import { Policy } from '../../src/access/policy.ts';
import { principalOf } from '../../src/access/principal.ts';
import { bindings, NOW, policyOf, principal, request } from './samples.ts';

function binding(change: Partial<Binding> & { permissions?: readonly Permission[] } = {}): Binding {
  const { permissions = ['credential:lease'], ...rest } = change;
  return {
    id: 'payments-calls-lean',
    role: { name: 'service', title: 'Borrows', permissions: new Set(permissions) },
    principals: new Set(['service:payments']),
    credentials: [CredentialPattern.parse('lean/sandbox')],
    expiresAt: null,
    comment: 'For a test',
    ...rest,
  };
}

function ask(change: Partial<AccessRequest> = {}): AccessRequest {
  return {
    principal: principalOf('service:payments'),
    permission: 'credential:lease',
    credential: 'lean/sandbox',
    now: NOW,
    ...change,
  };
}

const everything = [CredentialPattern.parse('**')];

describe('a decision', () => {
  it('allows what a binding grants and names the binding', () => {
    expect(policyOf([binding()]).decide(ask())).toEqual({
      allow: true,
      rule: 'payments-calls-lean',
      reason: 'Binding payments-calls-lean gives service:payments the role service.',
      expiresAt: null,
    });
  });

  it.each<[string, Partial<AccessRequest>]>([
    ['another service', { principal: principalOf('service:ledger') }],
    ['a person of the same name', { principal: principalOf('person:payments') }],
    ['another permission', { permission: 'credential:list' }],
    ['another credential', { credential: 'lean/production' }],
    ['all credentials', { credential: null }],
    ['another case of the name', { credential: 'lean/Sandbox' }],
    ['a service that claims to be a person', { principal: { id: 'service:payments', kind: 'person' } }],
  ])('denies by default: %s', (_what, change) => {
    expect(policyOf([binding()]).decide(ask(change))).toMatchObject({ allow: false, rule: 'default-deny' });
  });

  it('ends a grant right after the instant in its binding', () => {
    const policy = policyOf([binding({ expiresAt: NOW })]);
    expect(policy.decide(ask())).toMatchObject({ allow: true, expiresAt: NOW });
    expect(policy.decide(ask({ now: NOW + 1 }))).toMatchObject({ allow: false, rule: 'binding-expired' });
    expect(policy.decide(ask({ now: Number.NaN }))).toMatchObject({ allow: false, rule: 'binding-expired' });
  });

  it('names the grant that lasts longest, whatever the order', () => {
    const list = [binding({ id: 'a', expiresAt: NOW + 5 }), binding({ id: 'c' }), binding({ id: 'b' })];
    expect(policyOf(list).decide(ask()).rule).toBe('b');
    expect(policyOf(list.slice(0, 1)).decide(ask())).toMatchObject({ rule: 'a', expiresAt: NOW + 5 });
  });

  it.each(PERMISSIONS.filter(isPersonOnly))('never gives a service %s', (permission) => {
    const policy = policyOf([
      binding({
        permissions: PERMISSIONS,
        credentials: everything,
        principals: new Set(['service:payments', 'person:alice']),
      }),
    ]);
    for (const credential of [null, 'lean/sandbox']) {
      expect(policy.decide(ask({ permission, credential }))).toMatchObject({ allow: false, rule: 'person-only' });
      expect(policy.decide(ask({ permission, credential, principal: principalOf('person:alice') })).allow).toBe(true);
    }
  });

  it('keeps these permissions to persons', () => {
    expect(PERMISSIONS.filter(isPersonOnly).toSorted()).toEqual(
      [
        'companion:write',
        'credential:destroy',
        'credential:import',
        'credential:promote',
        'credential:retire',
        'credential:reveal',
        'hold:lift',
        'policy:reload',
        'store:migrate',
        'token:create',
      ].toSorted(),
    );
  });

  it.each(PERMISSIONS.filter(isAboutNoCredential))('gives %s only on all credentials', (permission) => {
    const alice = { principals: new Set(['person:alice']), permissions: PERMISSIONS };
    const question = ask({ permission, principal: principalOf('person:alice') });
    for (const text of ['lean/**', '*/**', '*/*', 'lean/sandbox']) {
      const policy = policyOf([binding({ ...alice, credentials: [CredentialPattern.parse(text)] })]);
      expect(policy.decide(question).allow).toBe(false);
      expect(policy.decide({ ...question, credential: null }).allow).toBe(false);
    }
    const all = policyOf([binding({ ...alice, credentials: everything })]);
    expect(all.decide(question).allow).toBe(true);
    expect(all.decide({ ...question, credential: null }).allow).toBe(true);
  });

  it('lets a hold on a host or a store be placed only by who may place one on every credential', () => {
    const responder = { permissions: ['hold:place'] as const };
    const some = policyOf([binding({ ...responder, credentials: [CredentialPattern.parse('lean/**')] })]);
    expect(some.decide(ask({ permission: 'hold:place' })).allow).toBe(true);
    expect(some.decide(ask({ permission: 'hold:place', credential: null })).allow).toBe(false);
    const all = policyOf([binding({ ...responder, credentials: everything })]);
    expect(all.decide(ask({ permission: 'hold:place', credential: null })).allow).toBe(true);
  });
});

describe('for any bindings', () => {
  it('an empty policy allows nothing', () => {
    fc.assert(fc.property(request, (question) => !policyOf([]).decide(question).allow));
  });

  it('allows exactly when one binding does by itself', () => {
    fc.assert(
      fc.property(bindings, request, (list, question) => {
        const alone = list.some((one) => policyOf([one]).decide(question).allow);
        expect(policyOf(list).decide(question).allow).toBe(alone);
      }),
    );
  });

  it('taking a binding away never allows what was denied', () => {
    fc.assert(
      fc.property(bindings, request, fc.nat(), (list, question, n) => {
        if (policyOf(list).decide(question).allow) return;
        const fewer = list.filter((_, i) => i !== n % Math.max(1, list.length));
        expect(policyOf(fewer).decide(question).allow).toBe(false);
      }),
    );
  });

  it('the order means nothing: same decision, same digest', () => {
    const shuffled = bindings.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
    );
    fc.assert(
      fc.property(shuffled, request, ([list, other], question) => {
        expect(policyOf(other).decide(question)).toEqual(policyOf(list).decide(question));
        expect(policyOf(other).digest).toBe(policyOf(list).digest);
      }),
    );
  });

  it('an expired binding never allows, and time only takes away', () => {
    fc.assert(
      fc.property(bindings, request, fc.integer({ min: 0, max: 120_000 }), (list, question, later) => {
        const decision = policyOf(list).decide({ ...question, now: NOW + later });
        if (decision.allow) {
          expect(policyOf(list).decide(question).allow).toBe(true);
          expect(decision.expiresAt ?? Number.POSITIVE_INFINITY).toBeGreaterThanOrEqual(NOW + later);
        }
      }),
    );
  });

  it('what others are given never widens what one may do', () => {
    fc.assert(
      fc.property(bindings, request, principal, (list, question, other) => {
        fc.pre(other.id !== question.principal.id);
        const widened = list.map((one) => ({ ...one, principals: new Set([...one.principals, other.id]) }));
        expect(policyOf(widened).decide(question).allow).toBe(policyOf(list).decide(question).allow);
      }),
    );
  });

  it('no other spelling of a name is allowed anything', () => {
    const spell = fc.constantFrom<(name: string) => string>(
      (name) => name.toUpperCase(),
      (name) => `${name}/`,
      (name) => name.replace('/', '//'),
      (name) => name.replace('/', '/./'),
      (name) => name.replace('/', '%2F'),
      (name) => ` ${name}`,
      (name) => `${name}\u00a0`,
      (name) => name.replace('a', 'ａ'),
    );
    fc.assert(
      fc.property(bindings, request, spell, (list, question, respell) => {
        if (question.credential === null) return;
        const credential = respell(question.credential);
        if (credential === question.credential) return;
        expect(policyOf(list).decide({ ...question, credential }).allow).toBe(false);
      }),
    );
  });
});

describe('the digest', () => {
  it('changes with whatever a rule says', () => {
    const expectation = {
      principal: 'service:a',
      permission: 'credential:lease',
      credential: null,
      expect: 'deny',
      at: null,
    } as const;
    const base = binding();
    const all = [
      [base],
      [binding({ id: 'other' })],
      [binding({ comment: 'Another reason' })],
      [binding({ expiresAt: NOW })],
      [binding({ principals: new Set(['service:payments', 'service:x']) })],
      [binding({ credentials: everything })],
      [binding({ permissions: ['credential:list'] })],
      [],
    ].map((list) => policyOf(list).digest);
    all.push(Policy.of({ roles: [base.role], bindings: [base], expectations: [expectation] }).digest);
    expect(new Set(all).size).toBe(all.length);
  });
});
