import type { Permission } from '../access/permission.ts';
import type { EntryDraft } from '../audit/entry.ts';
import type { JsonObject } from '../core/canonical-json.ts';
import type { Check } from '../ledger/change.ts';
import { type Authority, denial } from './authorise.ts';
import type { Caller } from './caller.ts';

/** On whose behalf something is done, and what must hold of that at the commit. */
export interface Mandate {
  /** Principal, or `system`. */
  readonly actor: string;
  readonly request?: string;
  readonly checks: readonly Check[];
  /** Told in the entry: the token, or the workflow. */
  readonly facts: JsonObject;
  /** The entry when one of the checks fails. */
  readonly refusal?: EntryDraft;
}

/** That of a person or service whose right was just decided. */
export function mandateOf(
  caller: Caller,
  authority: Authority,
  permission: Permission,
  credential: string,
  version: number | null,
): Mandate {
  return {
    actor: caller.principal.id,
    request: caller.request,
    checks: authority.checks,
    facts: { token: caller.token.id },
    refusal: denial(caller, permission, credential, 'at-commit', version === null ? {} : { version }),
  };
}
