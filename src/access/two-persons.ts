import { KeyturnError } from '../core/errors.ts';
import type { Principal } from './permission.ts';
import { isSoundPrincipal, principalOf } from './principal.ts';

/** How long a first approval waits for the second, milliseconds. */
export const APPROVAL_WINDOW_MS = 15 * 60_000;

/** One person's yes to one act. */
export interface Approval {
  readonly principal: Principal;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Names the act with all its parameters (a hold's id, a digest of the request): compared octet by octet. */
  readonly act: string;
}

export interface TwoPersons {
  readonly first: Approval;
  readonly second: Approval;
  readonly now: number;
  /** Default {@link APPROVAL_WINDOW_MS}. */
  readonly windowMs?: number;
  /** Whether a principal may do the act now: asked anew for both, so that whoever lost the right counts no more. */
  readonly may: (principal: Principal) => boolean;
  /** Whether one can act as the other, e.g. made a token of theirs: then the two are one. Default: nobody can. */
  readonly canActAs?: (principal: Principal, other: Principal) => boolean;
}

export type TwoPersonsRule =
  | 'two-persons'
  | 'not-a-person'
  | 'same-person'
  | 'other-act'
  | 'approval-expired'
  | 'right-lost';

/** `two-persons` when the two approvals release the act together, else why they do not. Pure. */
export function judgeTwoPersons(question: TwoPersons): TwoPersonsRule {
  const { first, second, may, canActAs = () => false } = question;
  const [a, b] = [first.principal, second.principal];
  if (!isPerson(a) || !isPerson(b)) return 'not-a-person';
  if (first.act !== second.act) return 'other-act';
  if (!isInForce(first, question) || !isInForce(second, question)) return 'approval-expired';
  if (a.id === b.id || canActAs(a, b) || canActAs(b, a)) return 'same-person';
  return may(a) && may(b) ? 'two-persons' : 'right-lost';
}

function isPerson(principal: Principal): boolean {
  return principal.kind === 'person' && isSoundPrincipal(principal);
}

/** False for an approval from the future too: a clock that jumped lends it no longer life. */
function isInForce({ at }: Approval, { now, windowMs = APPROVAL_WINDOW_MS }: TwoPersons): boolean {
  return at <= now && now - at <= windowMs;
}

/** An act that keeps its first approval beside it, as a hold does: the act is the same by its place. */
export interface SecondPersonQuestion extends Pick<TwoPersons, 'now' | 'windowMs' | 'may' | 'canActAs'> {
  /** Null when nobody has approved yet. */
  readonly first: { readonly principal: string; readonly at: number } | null;
  readonly second: Principal;
}

/**
 * `second` when this approval releases the act; `first` when it is (again) the first of two, because there is none
 * yet, or the one there is has expired or its giver may no longer give it.
 * @throws KeyturnError `second_person_required` when the second is the first again, can act as the first or the other
 * way round, or is a service; `permission_denied` when the second may not do this.
 */
export function judgeSecondPerson(question: SecondPersonQuestion): 'first' | 'second' {
  const { first, second, now, may } = question;
  if (!isPerson(second)) throw required('A service is never one of the two persons.', 'not-a-person');
  if (!may(second)) throw new KeyturnError('permission_denied', `${second.id} may not approve this.`);
  if (first === null) return 'first';
  const rule = judgeTwoPersons({
    ...question,
    first: { principal: principalOf(first.principal), at: first.at, act: '' },
    second: { principal: second, at: now, act: '' },
  });
  if (rule === 'same-person') throw required(`${second.id} and ${first.principal} count as one person.`, rule);
  return rule === 'two-persons' ? 'second' : 'first';
}

function required(message: string, rule: TwoPersonsRule): KeyturnError {
  return new KeyturnError('second_person_required', message, {
    fix: 'Have another person approve it, with a token of their own.',
    facts: { rule },
  });
}
