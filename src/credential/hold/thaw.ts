import { judgeSecondPerson } from '../../access/two-persons.ts';
import { parseEntry } from '../../audit/recorded.ts';
import { isKeyturnError, KeyturnError } from '../../core/errors.ts';
import type { HoldRow } from '../../ledger/tables.ts';
import { authorise, denial } from '../authorise.ts';
import type { Caller } from '../caller.ts';
import type { Desk } from '../desk.ts';
import { refused } from '../refusal.ts';
import { aboutOf, credentialOf } from './credential-of.ts';
import type { HoldJournal } from './hold-journal.ts';

/** Newest asks of one person that are looked through for that of this hold. */
const MOST_ASKS = 1_000;

export interface Thawed {
  readonly hold: string;
  readonly state: 'asked' | 'lifted';
  readonly askedBy: string;
  readonly liftedBy: string | null;
  readonly entry: number;
}

/**
 * One stops, two release: the first person asks, a second who is not the first lifts. Each one's right is decided at
 * their own step. An ask that is older than the window, or was made with a token that was revoked since, counts no more;
 * the next person is then the first again.
 * A hold that rests in this server's emergency journal alone is brought into the ledger first.
 * @throws KeyturnError `not_found`, `conflict` (already lifted), `second_person_required` (the same person twice),
 * `ledger_unavailable` while the ledger does not take such a hold.
 */
export async function thaw(desk: Desk, journal: HoldJournal, caller: Caller, id: string): Promise<Thawed> {
  const hold = await findHold(desk, journal, id);
  const authority = await authorise(desk, caller, 'hold:lift', credentialOf(hold));
  refuseLifted(hold);
  const askedWith = await tokenOfAsk(desk, hold);
  const step = await judge(desk, caller, hold, askedWith);
  const now = desk.clock.now();
  const lift = step === 'second';
  // What was asked with a token that is revoked by then was asked by whoever had it.
  const askStands =
    lift && askedWith !== null
      ? [{ rule: 'ask-revoked', table: 'tokens', some: { id: askedWith, revoked_at: null } } as const]
      : [];
  const outcome = await desk.ledger.commit({
    checks: [
      ...authority.checks,
      ...askStands,
      {
        rule: 'hold-unchanged',
        table: 'holds',
        some: { id, lifted_at: null, thaw_asked_by: hold.thaw_asked_by, thaw_asked_at: hold.thaw_asked_at },
      },
    ],
    writes: [
      {
        update: 'holds',
        where: { id },
        set: lift
          ? { lifted_by: caller.principal.id, lifted_at: now }
          : { thaw_asked_by: caller.principal.id, thaw_asked_at: now },
        rows: 1,
      },
    ],
    entry: {
      kind: lift ? 'hold.lifted' : 'hold.thaw-asked',
      actor: caller.principal.id,
      request: caller.request,
      ...aboutOf(hold),
      data: {
        hold: id,
        target: hold.target,
        subject: hold.subject,
        askedBy: lift ? (hold.thaw_asked_by ?? '') : caller.principal.id,
        token: caller.token.id,
      },
    },
    refusal: denial(caller, 'hold:lift', credentialOf(hold), 'at-commit', { hold: id }),
  });
  if (!outcome.committed) throw refused(outcome.rule);
  if (lift) desk.holds.lift(id);
  return {
    hold: id,
    state: lift ? 'lifted' : 'asked',
    askedBy: lift ? (hold.thaw_asked_by ?? '') : caller.principal.id,
    liftedBy: lift ? caller.principal.id : null,
    entry: outcome.index,
  };
}

/** Whether this is the first or the second person; that the same one asks twice is a denial, and recorded as one. */
async function judge(desk: Desk, caller: Caller, hold: HoldRow, askedWith: string | null): Promise<'first' | 'second'> {
  const [credential, now] = [credentialOf(hold), desk.clock.now()];
  const isAsked = askedWith !== null && (await isUnrevoked(desk, askedWith));
  try {
    refuseOneself(caller, hold);
    return judgeSecondPerson({
      first: isAsked ? { principal: hold.thaw_asked_by ?? '', at: hold.thaw_asked_at ?? 0 } : null,
      second: caller.principal,
      now,
      may: (principal) => desk.policy().decide({ principal, permission: 'hold:lift', credential, now }).allow,
    });
  } catch (error) {
    if (isKeyturnError(error)) {
      const rule = typeof error.facts['rule'] === 'string' ? error.facts['rule'] : error.code;
      await desk.ledger.commit({ entry: denial(caller, 'hold:lift', credential, rule, { hold: hold.id }) });
    }
    throw error;
  }
}

/** Token that the first person asked with; null where nobody has. */
async function tokenOfAsk({ ledger }: Desk, { id, thaw_asked_by: actor }: HoldRow): Promise<string | null> {
  if (actor === null) return null;
  const asks = await ledger.entries({ kind: 'hold.thaw-asked', actor, descending: true, limit: MOST_ASKS, few: true });
  const data = asks.map(({ json }) => parseEntry(json).data).find(({ hold }) => hold === id);
  return typeof data?.['token'] === 'string' ? data['token'] : null;
}

async function isUnrevoked({ ledger }: Desk, id: string): Promise<boolean> {
  return (await ledger.count('tokens', { id, revoked_at: null })) > 0;
}

/** Whoever is frozen has no part in lifting that. */
function refuseOneself({ principal }: Caller, { target, subject }: HoldRow): void {
  if (target !== 'principal' || subject !== principal.id) return;
  throw new KeyturnError('second_person_required', 'Nobody helps to lift a freeze of themselves.', {
    fix: 'Two other persons can lift it.',
    facts: { rule: 'hold-on-oneself' },
  });
}

async function findHold(desk: Desk, journal: HoldJournal, id: string): Promise<HoldRow> {
  const [hold] = await desk.ledger.find('holds', { id });
  if (hold !== undefined) return hold;
  if (!desk.holds.has(id)) {
    throw new KeyturnError('not_found', 'There is no such hold.', {
      fix: 'See those in force: keyturn hold list. One that rests in the journal of another server is thawed there, or here once that server has brought it into the ledger.',
    });
  }
  await journal.bring(id);
  const [brought] = await desk.ledger.find('holds', { id });
  if (brought !== undefined) return brought;
  throw new KeyturnError(
    'ledger_unavailable',
    'This hold rests in the emergency journal; the ledger does not take it yet.',
    {
      fix: 'It is in force meanwhile. Try again in a moment; if it goes on, look after the ledger.',
      facts: { state: desk.ledger.status().state },
    },
  );
}

function refuseLifted(hold: HoldRow): void {
  if (hold.lifted_at === null) return;
  throw new KeyturnError('conflict', `This hold was lifted by ${hold.lifted_by}.`, { fix: 'Nothing is left to do.' });
}
