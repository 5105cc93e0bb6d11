import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Principal } from '../../src/access/permission.ts';
import { principalOf } from '../../src/access/principal.ts';
import {
  APPROVAL_WINDOW_MS,
  type Approval,
  judgeSecondPerson,
  judgeTwoPersons,
  type TwoPersons,
} from '../../src/access/two-persons.ts';
import { principal } from './samples.ts';

const NOW = Date.parse('2026-11-23T10:00:00Z');
const alice = principalOf('person:alice');
const bob = principalOf('person:bob');
const robot = principalOf('service:robot');

function approval(who: Principal, change: Partial<Approval> = {}): Approval {
  return { principal: who, at: NOW - 60_000, act: 'hold_1', ...change };
}

function judge(change: Partial<TwoPersons> = {}): string {
  return judgeTwoPersons({ first: approval(alice), second: approval(bob), now: NOW, may: () => true, ...change });
}

describe('two approvals', () => {
  it('release together when two persons gave them', () => {
    expect(judge()).toBe('two-persons');
  });

  it.each<[string, Partial<TwoPersons>, string]>([
    ['of the same person twice', { second: approval(alice) }, 'same-person'],
    ['of one person with two identities', { canActAs: (a, b) => a.id === bob.id && b.id === alice.id }, 'same-person'],
    ['the other way round', { canActAs: (a, b) => a.id === alice.id && b.id === bob.id }, 'same-person'],
    ['after the first lost the right', { may: ({ id }) => id !== alice.id }, 'right-lost'],
    ['after the second lost the right', { may: ({ id }) => id !== bob.id }, 'right-lost'],
    ['one for another act', { second: approval(bob, { act: 'hold_2' }) }, 'other-act'],
    ['one for the act in another spelling', { second: approval(bob, { act: 'HOLD_1' }) }, 'other-act'],
    [
      'the first replayed after its time',
      { first: approval(alice, { at: NOW - APPROVAL_WINDOW_MS - 1 }) },
      'approval-expired',
    ],
    [
      'the second replayed after its time',
      { second: approval(bob, { at: NOW - APPROVAL_WINDOW_MS - 1 }) },
      'approval-expired',
    ],
    ['one from the future', { first: approval(alice, { at: NOW + 1 }) }, 'approval-expired'],
    ['one at no time at all', { first: approval(alice, { at: Number.NaN }) }, 'approval-expired'],
    ['one past a shorter window', { windowMs: 59_999 }, 'approval-expired'],
    ['one of a service', { second: approval(robot) }, 'not-a-person'],
    ['of a service first', { first: approval(robot) }, 'not-a-person'],
    [
      'of a service that claims to be a person',
      { second: approval({ id: 'service:x', kind: 'person' }) },
      'not-a-person',
    ],
    ['of a person in another spelling', { second: approval({ id: 'person:Alice', kind: 'person' }) }, 'not-a-person'],
  ])('do not: %s', (_what, change, rule) => {
    expect(judge(change)).toBe(rule);
  });

  it('count to the last millisecond of the window', () => {
    expect(judge({ first: approval(alice, { at: NOW - APPROVAL_WINDOW_MS }) })).toBe('two-persons');
  });

  it('never release for fewer than two different persons with the right, whatever they are', () => {
    const approvals = fc.record({
      principal,
      at: fc.constantFrom(NOW - APPROVAL_WINDOW_MS - 1, NOW - 1, NOW, NOW + 1),
      act: fc.constantFrom('hold_1', 'hold_2'),
    });
    const entitled = fc.uniqueArray(principal, { selector: ({ id }) => id }).map((list) => list.map(({ id }) => id));
    fc.assert(
      fc.property(approvals, approvals, entitled, (first, second, ids) => {
        const may = ({ id }: Principal) => ids.includes(id);
        const released = judgeTwoPersons({ first, second, now: NOW, may }) === 'two-persons';
        const persons = new Set(
          [first, second].filter((one) => one.principal.kind === 'person').map((one) => one.principal.id),
        );
        const sound = [first, second].every(
          (one) => may(one.principal) && one.at <= NOW && one.at > NOW - APPROVAL_WINDOW_MS - 1,
        );
        expect(released).toBe(persons.size === 2 && sound && first.act === second.act);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('an approval beside an act that keeps the first', () => {
  const question = { first: { principal: alice.id, at: NOW - 1 }, second: bob, now: NOW, may: () => true };

  it("is the first when there is none, and the second after another person's", () => {
    expect(judgeSecondPerson({ ...question, first: null })).toBe('first');
    expect(judgeSecondPerson(question)).toBe('second');
  });

  it('is the first again when the first has expired or its giver lost the right', () => {
    const old = { principal: alice.id, at: NOW - APPROVAL_WINDOW_MS - 1 };
    expect(judgeSecondPerson({ ...question, first: old })).toBe('first');
    expect(judgeSecondPerson({ ...question, first: old, second: alice })).toBe('first');
    expect(judgeSecondPerson({ ...question, may: ({ id }) => id === bob.id })).toBe('first');
  });

  it.each<[string, Partial<Parameters<typeof judgeSecondPerson>[0]>, string]>([
    ['the same person', { second: alice }, 'second_person_required'],
    ['someone who can act as the first', { canActAs: (a) => a.id === bob.id }, 'second_person_required'],
    ['a service', { second: robot }, 'second_person_required'],
    ['a service, as the first', { second: robot, first: null }, 'second_person_required'],
    ['a person without the right', { may: ({ id }) => id === alice.id }, 'permission_denied'],
    ['a person without the right, as the first', { may: () => false, first: null }, 'permission_denied'],
  ])('is refused from %s', (_who, change, code) => {
    expect(() => judgeSecondPerson({ ...question, ...change })).toThrow(expect.objectContaining({ code }));
  });
});
