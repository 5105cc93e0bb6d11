import type { JsonObject } from '../../core/canonical-json.ts';
import { timestamp } from '../../core/clock.ts';
import { refuseFrozen } from '../../credential/authorise.ts';
import type { Caller } from '../../credential/caller.ts';
import type { Desk } from '../../credential/desk.ts';
import type { DueBook } from './book.ts';
import type { Due } from './due.ts';

const DAY_MS = 86_400_000;
/** Rotations that are told, the next ones first. */
const MOST = 1_000;

/**
 * What falls due within so many days, of credentials that the caller may list, in the order in which it begins; at most
 * 1,000, and how many there are. Whether anything begins by itself is told too.
 */
export async function forecastFor(
  { desk, book, automatic }: { readonly desk: Desk; readonly book: DueBook; readonly automatic: boolean },
  caller: Caller,
  days: number,
): Promise<JsonObject> {
  await refuseFrozen(desk, caller, 'credential:list', null);
  await book.refresh();
  const now = desk.clock.now();
  const until = now + days * DAY_MS;
  const policy = desk.policy();
  const { principal } = caller;
  const found: Due[] = [];
  for await (const { due } of book.dues(now)) {
    const { credential } = due;
    if (due.at > until) continue;
    if (policy.decide({ principal, permission: 'credential:list', credential, now }).allow) found.push(due);
  }
  found.sort((a, b) => a.at - b.at || (a.credential < b.credential ? -1 : 1));
  return {
    automatic,
    from: timestamp(now),
    until: timestamp(until),
    total: found.length,
    items: found.slice(0, MOST).map(({ credential, version, reason, since, at, latest }) => {
      return { credential, version, reason, since: timestamp(since), at: timestamp(at), latest: timestamp(latest) };
    }),
  };
}
