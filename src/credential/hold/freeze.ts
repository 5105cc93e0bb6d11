import { credentialName } from '../../access/credential-name.ts';
import type { Permission } from '../../access/permission.ts';
import { KeyturnError } from '../../core/errors.ts';
import { newId } from '../../core/ids.ts';
import type { Change } from '../../ledger/change.ts';
import type { EmergencyJournal } from '../../ledger/journal/emergency-journal.ts';
import type { HoldRow, HoldTarget } from '../../ledger/tables.ts';
import { denial } from '../authorise.ts';
import type { Caller } from '../caller.ts';
import type { Desk } from '../desk.ts';
import { versionSubject } from './hold-switch.ts';

/** How long a freeze waits for the ledger before it goes to the emergency journal, milliseconds. */
const LEDGER_PATIENCE_MS = 40;

export interface FreezeRequest {
  readonly target: HoldTarget;
  /** Credential name, principal id, host or store; for `version` the credential, with `version` beside it. */
  readonly subject: string;
  readonly version?: number;
  readonly reason: string;
}

export interface Frozen {
  readonly hold: string;
  readonly target: HoldTarget;
  readonly subject: string;
  /** Where it rests now: `ledger`, or `journal` when the ledger did not answer; it is replayed from there. */
  readonly durable: 'ledger' | 'journal';
  /** Servers of the same ledger that this answer does not speak for. */
  readonly unreached: readonly string[];
}

/** Who may freeze over the host-local socket: whoever the file mode lets connect. */
export const LOCAL_OPERATOR = 'local:socket';

/**
 * One person stops a version, credential, principal, host or store. Takes effect in this process before anything is
 * written; never waits for a healthy ledger. Freezing what is frozen places a further hold: each is lifted by itself.
 * @throws KeyturnError `permission_denied`; `journal_unavailable` when neither ledger nor journal took it: even then
 * this process returns nothing for the subject any more.
 */
export async function freeze(
  desk: Desk,
  journal: EmergencyJournal,
  caller: Caller | typeof LOCAL_OPERATOR,
  request: FreezeRequest,
): Promise<Frozen> {
  if (caller !== LOCAL_OPERATOR) decide(desk, caller, request);
  const row = holdRow(desk, caller, request);
  desk.holds.place(row.id, row.target, row.subject);
  const durable = await makeDurable(desk, journal, row, caller === LOCAL_OPERATOR ? undefined : caller.request);
  return { hold: row.id, target: row.target, subject: row.subject, durable, unreached: [] };
}

/** Decides from memory alone; the denial's entry is written in the background, since the ledger may hang. */
function decide(desk: Desk, caller: Caller, request: FreezeRequest): void {
  const permission: Permission = 'hold:place';
  const aboutCredential = request.target === 'version' || request.target === 'credential';
  const credential = aboutCredential ? credentialName(request.subject) : null;
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
    id: newId('hold', now),
    target: request.target,
    subject: subjectOf(request),
    reason: request.reason,
    placed_by: caller === LOCAL_OPERATOR ? LOCAL_OPERATOR : caller.principal.id,
    placed_at: now,
    thaw_asked_by: null,
    thaw_asked_at: null,
    lifted_by: null,
    lifted_at: null,
  };
}

function subjectOf({ target, subject, version }: FreezeRequest): string {
  if (target !== 'version') return subject;
  if (version === undefined) {
    throw new KeyturnError('invalid_input', 'A freeze of a version needs its number.', {
      fix: 'Give the version, or freeze the whole credential.',
    });
  }
  return versionSubject(subject, version);
}

async function makeDurable(
  desk: Desk,
  journal: EmergencyJournal,
  row: HoldRow,
  request: string | undefined,
): Promise<'ledger' | 'journal'> {
  const committed = desk.ledger.commit(holdChange(row, request)).then(
    () => 'ledger' as const,
    () => 'failed' as const,
  );
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<'slow'>((resolve) => {
    timer = setTimeout(resolve, LEDGER_PATIENCE_MS, 'slow');
  });
  const first = await Promise.race([committed, patience]);
  clearTimeout(timer);
  if (first === 'ledger') return 'ledger';
  await journal.append({ ...row });
  return 'journal';
}

/** The change that records a hold; the same for a live freeze and for its replay. */
export function holdChange(row: HoldRow, request?: string): Change {
  return {
    checks: [{ rule: 'hold-unknown', table: 'holds', none: { id: row.id } }],
    writes: [{ insert: 'holds', row }],
    entry: {
      kind: 'hold.placed',
      actor: row.placed_by,
      ...(request === undefined ? {} : { request }),
      data: { hold: row.id, target: row.target, subject: row.subject, reason: row.reason, placedAt: row.placed_at },
    },
  };
}
