import type { JsonObject } from '../../core/canonical-json.ts';
import { timestamp } from '../../core/clock.ts';
import { KeyturnError } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import { type Authority, authorise, denial } from '../../credential/authorise.ts';
import type { Caller } from '../../credential/caller.ts';
import type { Desk } from '../../credential/desk.ts';
import { refused } from '../../credential/refusal.ts';
import type { Delivery, Notifier, TestNotice } from '../../notify/notifier.ts';

/** For all of them; whoever asked waits as long. */
const TIMEOUT_MS = 20_000;

export interface TestWish {
  /** One of the ways; absent for all. */
  readonly by?: string;
  /** Whose tasks' recipients get it. Default `default`. */
  readonly owner?: string;
}

export interface TestResult {
  readonly by: string;
  readonly sent: boolean;
  /** Why it was not sent, or whom not to; null where all got it. */
  readonly cause: string | null;
}

/**
 * Sends one test notice through each way to people, once and without a second try, and says what became of it. That it was
 * asked for is on record before anything is sent, what became of it afterwards.
 * @throws KeyturnError `permission_denied`, `not_found` (no such way), `ledger_unavailable`.
 */
export async function sendTestNotice(
  desk: Desk,
  notifiers: readonly Notifier[],
  caller: Caller,
  { by, owner = 'default' }: TestWish,
): Promise<{ notice: string; results: TestResult[] }> {
  const authority = await authorise(desk, caller, 'notify:test', null);
  const ways = waysOf(notifiers, by);
  const now = desk.clock.now();
  const notice: TestNotice = {
    id: newId('notice', now),
    stage: 'test',
    owner,
    askedBy: caller.principal.id,
    sentAt: timestamp(now),
  };
  await recordAsked(desk, caller, authority, { notice: notice.id, owner, by: ways.map(({ name }) => name) });
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const results = await Promise.all(ways.map(async (way) => resultOf(way.name, await way.send(notice, signal))));
  await desk.ledger.commit({ entry: entryOf(caller, 'notify.tested', { notice: notice.id, ...summary(results) }) });
  return { notice: notice.id, results };
}

function waysOf(notifiers: readonly Notifier[], by: string | undefined): readonly Notifier[] {
  const chosen = notifiers.filter(({ name }) => by === undefined || name === by);
  if (chosen.length > 0) return chosen;
  if (notifiers.length === 0) {
    throw new KeyturnError('not_found', 'No way to people is configured on this server.', {
      fix: 'Add notify to its keyturn.yaml, with a webhook, mail or both, and start it anew.',
    });
  }
  throw new KeyturnError('not_found', 'There is no way to people of that name.', {
    fix: `Leave the name out, or give one of these: ${notifiers.map(({ name }) => name).join(', ')}.`,
  });
}

async function recordAsked(desk: Desk, caller: Caller, { checks }: Authority, data: JsonObject): Promise<void> {
  const outcome = await desk.ledger.commit({
    checks,
    entry: entryOf(caller, 'notify.test-asked', data),
    refusal: denial(caller, 'notify:test', null, 'at-commit'),
  });
  if (!outcome.committed) throw refused(outcome.rule);
}

function entryOf({ principal, request, token }: Caller, kind: string, data: JsonObject) {
  return { kind, actor: principal.id, request, data: { ...data, token: token.id } };
}

function resultOf(by: string, delivery: Delivery): TestResult {
  return { by, sent: delivery.sent, cause: delivery.sent ? (delivery.short ?? null) : delivery.cause };
}

function summary(results: readonly TestResult[]): JsonObject {
  const failed = results.filter(({ sent }) => !sent).map(({ by, cause }) => ({ by, cause }));
  return { sent: results.filter(({ sent }) => sent).map(({ by }) => by), failed };
}
