import type { Decision } from '../decision.ts';
import type { Expectation, Policy } from '../policy.ts';
import { principalOf } from '../principal.ts';

/** An expectation that the policy does not meet. */
export interface Unmet {
  /** Place in the policy's list. */
  readonly index: number;
  readonly what: string;
  readonly fix: string;
}

/** Tries every expectation; `now` (milliseconds since the epoch) is the instant for those that name none. */
export function unmetExpectations(policy: Policy, now: number): Unmet[] {
  return policy.expectations.flatMap((expectation, index) => {
    const decision = policy.decide({
      principal: principalOf(expectation.principal),
      permission: expectation.permission,
      credential: expectation.credential,
      now: expectation.at ?? now,
    });
    const wrong = judge(expectation, decision);
    return wrong === null ? [] : [{ index, ...wrong }];
  });
}

function judge(expectation: Expectation, decision: Decision): { what: string; fix: string } | null {
  const { principal, permission, credential, expect, at } = expectation;
  const question = `${principal} ${permission}${credential === null ? '' : ` on ${credential}`}`;
  if (decision.allow !== (expect === 'allow')) {
    const verdict = `${decision.allow ? 'allow' : 'deny'} by ${decision.rule}`;
    return {
      what: `Expected ${expect} for ${question}, got ${verdict}.`,
      fix: 'Mend the bindings or the expectation.',
    };
  }
  // Else the server would refuse to start on the day the binding ends.
  if (decision.allow && decision.expiresAt !== null && at === null) {
    return { what: `${question} rests on ${decision.rule}, which ends.`, fix: 'Say with "at" when it is to hold.' };
  }
  return null;
}
