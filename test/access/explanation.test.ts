import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePolicy } from '../../src/access/policy-files/load.ts';
import { principalOf } from '../../src/access/principal.ts';
import { bindings, NOW, policyOf, request } from './samples.ts';

const policy = parsePolicy(
  [
    {
      name: 'all.yaml',
      text: `
roles:
  - { name: service, title: Borrows, permissions: ['credential:lease'] }
  - { name: approver, title: Thaws, permissions: ['hold:lift'] }
bindings:
  - { id: b-other, role: service, principals: ['service:ledger', 'service:refunds'], credentials: ['lean/**'], comment: Theirs }
  - { id: a-mine, role: service, principals: ['service:payments'], credentials: ['lean/production'], comment: Mine }
  - { id: c-old, role: service, principals: ['service:payments'], credentials: ['lean/sandbox'], expires: 2026-11-01T00:00:00Z, comment: Pilot }
  - { id: d-lift, role: approver, principals: ['service:payments', 'person:alice'], credentials: ['**'], comment: Odd }
`,
    },
  ],
  NOW,
);
const payments = principalOf('service:payments');

describe('an explanation', () => {
  it('says of every binding why it does not grant, and who holds the permission', () => {
    const question = {
      principal: payments,
      permission: 'credential:lease',
      credential: 'lean/sandbox',
      now: NOW,
    } as const;
    const { decision, missing, bindings: considered, holders } = policy.explain(question, 'full');
    expect(decision).toMatchObject({ allow: false, rule: 'binding-expired' });
    expect(missing).toBe('credential:lease');
    expect(considered.map(({ binding, because }) => [binding, because])).toEqual([
      ['a-mine', ['None of its patterns matches lean/sandbox.']],
      ['b-other', ['It does not name service:payments.']],
      ['c-old', ['It ended at 2026-11-01T00:00:00.000Z.']],
      ['d-lift', ['Its role approver has no credential:lease.']],
    ]);
    expect(holders).toEqual([
      { principal: 'service:ledger', binding: 'b-other', role: 'service' },
      { principal: 'service:refunds', binding: 'b-other', role: 'service' },
    ]);
  });

  it('tells the principal itself nothing of others', () => {
    const question = {
      principal: payments,
      permission: 'credential:lease',
      credential: 'lean/sandbox',
      now: NOW,
    } as const;
    const own = policy.explain(question);
    expect(own.bindings.map(({ binding }) => binding)).toEqual(['a-mine', 'c-old', 'd-lift']);
    expect(JSON.stringify(own)).not.toMatch(/ledger|refunds|alice/);
  });

  it('names no service among the holders of what only persons can have', () => {
    const question = { principal: payments, permission: 'hold:lift', credential: 'lean/sandbox', now: NOW } as const;
    const { bindings: considered, holders } = policy.explain(question, 'full');
    expect(considered.find(({ binding }) => binding === 'd-lift')).toMatchObject({
      grants: false,
      because: ['Only a person can have hold:lift.'],
    });
    expect(holders).toEqual([{ principal: 'person:alice', binding: 'd-lift', role: 'approver' }]);
  });

  it('says what it takes to have a permission for all credentials', () => {
    const question = { principal: payments, permission: 'credential:lease', credential: null, now: NOW } as const;
    expect(policy.explain(question).bindings[0]?.because).toEqual([
      'credential:lease is asked for all credentials, and the binding is not on **.',
    ]);
  });

  it('never differs from the decision, for any bindings', () => {
    fc.assert(
      fc.property(bindings, request, fc.constantFrom('own', 'full'), (list, question, view) => {
        const any = policyOf(list);
        const { decision, missing, bindings: considered, holders } = any.explain(question, view);
        expect(decision).toEqual(any.decide(question));
        expect(considered.some(({ grants }) => grants)).toBe(decision.allow);
        expect(missing === null).toBe(decision.allow);
        const isHolder = holders.some((holder) => holder.principal === question.principal.id);
        expect(isHolder).toBe(decision.allow && view === 'full');
        for (const { principal } of holders) {
          expect(any.decide({ ...question, principal: principalOf(principal) }).allow).toBe(true);
        }
      }),
    );
  });
});
