import { judgeSecondPerson } from '../../access/two-persons.ts';
import { KeyturnError } from '../../core/errors.ts';
import type { HoldRow } from '../../ledger/tables.ts';
import { authorise } from '../authorise.ts';
import type { Caller } from '../caller.ts';
import type { Desk } from '../desk.ts';
import { refused } from '../refusal.ts';

export interface Thawed {
  readonly hold: string;
  readonly state: 'asked' | 'lifted';
  readonly askedBy: string;
  readonly liftedBy: string | null;
  readonly entry: number;
}

/**
 * One stops, two release: the first person asks, a second who is not the first lifts. Each one's right is decided at
 * their own step. An ask that is older than the window counts no more; the next person is then the first again.
 * @throws KeyturnError `not_found`, `conflict` (already lifted), `second_person_required` (the same person twice).
 */
export async function thaw(desk: Desk, caller: Caller, id: string): Promise<Thawed> {
  const hold = await findHold(desk, id);
  const authority = await authorise(desk, caller, 'hold:lift', credentialOf(hold));
  const step = judgeSecondPerson({
    first: hold.thaw_asked_by === null ? null : { principal: hold.thaw_asked_by, at: hold.thaw_asked_at ?? 0 },
    second: caller.principal,
    now: desk.clock.now(),
    may: (principal) =>
      desk
        .policy()
        .decide({ principal, permission: 'hold:lift', credential: credentialOf(hold), now: desk.clock.now() }).allow,
  });
  const now = desk.clock.now();
  const lift = step === 'second';
  const outcome = await desk.ledger.commit({
    checks: [
      ...authority.checks,
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
      data: {
        hold: id,
        target: hold.target,
        subject: hold.subject,
        askedBy: lift ? (hold.thaw_asked_by ?? '') : caller.principal.id,
        token: caller.token.id,
      },
    },
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

async function findHold(desk: Desk, id: string): Promise<HoldRow> {
  const [hold] = await desk.ledger.find('holds', { id });
  if (hold === undefined) {
    throw new KeyturnError('not_found', 'There is no such hold.', { fix: 'See those in force: keyturn hold list' });
  }
  if (hold.lifted_at !== null) {
    throw new KeyturnError('conflict', `This hold was lifted by ${hold.lifted_by}.`, { fix: 'Nothing is left to do.' });
  }
  return hold;
}

/** A hold on a version or a credential is decided for that credential; any other needs a grant on all. */
export function credentialOf(hold: Pick<HoldRow, 'target' | 'subject'>): string | null {
  if (hold.target === 'credential') return hold.subject;
  return hold.target === 'version' ? (hold.subject.split('@')[0] ?? null) : null;
}
