import type { Permission } from '../../access/permission.ts';
import { KeyturnError } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import type { HoldRow, HoldTarget } from '../../ledger/tables.ts';
import { denial } from '../authorise.ts';
import type { Caller } from '../caller.ts';
import type { Desk } from '../desk.ts';
import { credentialOf } from './credential-of.ts';
import { type HoldJournal, IN_FORCE } from './hold-journal.ts';
import { isKnown } from './known.ts';
import { type FreezeTarget, holdSubject } from './subject.ts';

export interface FreezeRequest extends FreezeTarget {
  readonly reason: string;
  /** Id of the hold, from whoever tells several servers of one freeze: on their common ledger it is one hold. */
  readonly hold?: string;
}

export interface Frozen {
  readonly hold: string;
  readonly target: HoldTarget;
  readonly subject: string;
  /** Where it rests now: `ledger`, or `journal` when the ledger did not answer; it is replayed from there. */
  readonly durable: 'ledger' | 'journal';
  /** False when nothing of that name is known: see {@link isKnown}. */
  readonly known: boolean | null;
  /** Servers of the same ledger that this answer does not speak for. */
  readonly unreached: readonly string[];
}

/** Who may freeze over the host-local socket: whoever the file mode lets connect. */
export const LOCAL_OPERATOR = 'local:socket';

/**
 * One person stops a version, credential, principal, host or store. Takes effect in this process before anything is
 * written; never waits for a healthy ledger. Freezing what is frozen places a further hold: each is lifted by itself.
 * @throws KeyturnError `invalid_input` for a subject that nothing could match; `permission_denied`; `conflict` for the id
 * of another hold, or of one that was lifted;
 * `journal_unavailable` when neither ledger nor journal took it: even then this process returns nothing for the
 * subject any more.
 */
export async function freeze(
  desk: Desk,
  journal: HoldJournal,
  caller: Caller | typeof LOCAL_OPERATOR,
  request: FreezeRequest,
): Promise<Frozen> {
  const row = holdRow(desk, caller, request);
  if (caller !== LOCAL_OPERATOR) decide(desk, caller, row);
  // Before anything: a second hold under the id would take the place of the first, and end with it.
  if (desk.holds.isOfAnother(row.id, row.target, row.subject)) throw otherHold();
  desk.holds.place(row.id, row.target, row.subject);
  desk.keys.clear();
  const rest = await journal.record(row, caller === LOCAL_OPERATOR ? undefined : caller.request);
  const { durable } = rest;
  // What was just taken is this freeze and no other: nothing is read for it, since a ledger that takes may not be read.
  if (rest.durable === 'ledger' && !rest.isNew) await refuseOther(desk, row);
  const known = durable === 'ledger' ? await isKnown(desk, row) : null;
  return { hold: row.id, target: row.target, subject: row.subject, durable, known, unreached: [] };
}

/** An id that stands on the ledger already must be of this very freeze, told of by another server. */
async function refuseOther(desk: Desk, { id, target, subject }: HoldRow): Promise<void> {
  const [known] = await desk.ledger.find('holds', { id });
  if (known?.target === target && known.subject === subject && known.lifted_at === null) return;
  desk.holds.lift(id);
  throw otherHold();
}

function otherHold(): KeyturnError {
  return new KeyturnError('conflict', 'That id is of another hold, or of one that was lifted.', {
    fix: 'Freeze again, with a new id or none.',
  });
}

/** Decides from memory alone; the denial's entry is written in the background, since the ledger may hang. */
function decide(desk: Desk, caller: Caller, row: HoldRow): void {
  const permission: Permission = 'hold:place';
  const credential = credentialOf(row);
  const decision = desk.policy().decide({ principal: caller.principal, permission, credential, now: desk.clock.now() });
  if (decision.allow) return;
  desk.ledger.commit({ entry: denial(caller, permission, credential, decision.rule) }).catch(() => undefined);
  throw new KeyturnError('permission_denied', `${caller.principal.id} may not freeze this: ${decision.reason}`, {
    fix: 'A responder or operator can; on the server’s own host: keyturn freeze --socket.',
    facts: { permission, rule: decision.rule },
  });
}

function holdRow(desk: Desk, caller: Caller | typeof LOCAL_OPERATOR, request: FreezeRequest): HoldRow {
  const now = desk.clock.now();
  return {
    id: request.hold ?? newId('hold', now),
    target: request.target,
    subject: holdSubject(request, desk.stores.keys()),
    reason: request.reason,
    placed_by: caller === LOCAL_OPERATOR ? LOCAL_OPERATOR : caller.principal.id,
    placed_at: now,
    ...IN_FORCE,
  };
}
