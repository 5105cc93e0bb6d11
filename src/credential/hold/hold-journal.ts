import type { AuditEntry } from '../../audit/entry.ts';
import type { Change } from '../../ledger/change.ts';
import type { EmergencyJournal } from '../../ledger/journal/emergency-journal.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import { HOLD_TARGETS, type HoldRow } from '../../ledger/tables.ts';
import { aboutOf } from './credential-of.ts';

/** How long a freeze waits for the ledger before it goes to the emergency journal, milliseconds. */
const LEDGER_PATIENCE_MS = 40;

/** For whoever wants to lift a hold that is not on the ledger yet, milliseconds. */
const BRING_PATIENCE_MS = 1_000;

/** What says that nobody has lifted a hold, nor asked for that. */
export const IN_FORCE = { thaw_asked_by: null, thaw_asked_at: null, lifted_by: null, lifted_at: null } as const;

/** Where a hold rests; of one on the ledger, whether it was there before, under the same id. */
export type Rest = { readonly durable: 'ledger'; readonly isNew: boolean } | { readonly durable: 'journal' };

/** What the ledger made of it; null when it took nothing, or may have. */
type Taken = 'new' | 'known' | null;

/**
 * Makes holds durable: in the ledger, or in the emergency journal while the ledger is slow or down. What the ledger
 * took after all leaves the journal again, so that a slow disk never fills it.
 */
export class HoldJournal {
  readonly #ledger: Ledger;
  readonly #journal: EmergencyJournal;
  /** Holds that stand in the journal and, as far as we know, not in the ledger. */
  readonly #owed = new Map<string, HoldRow>();

  constructor(ledger: Ledger, journal: EmergencyJournal) {
    this.#ledger = ledger;
    this.#journal = journal;
  }

  /**
   * Resolves as soon as either has it.
   * @throws KeyturnError `journal_unavailable` when neither took it.
   */
  async record(row: HoldRow, request: string | undefined): Promise<Rest> {
    const committed = this.#commit(row, request);
    const soon = await inTime(committed, null);
    if (soon !== null) return onLedger(soon);
    this.#owed.set(row.id, row);
    const journalled = this.#journal.append({ ...row });
    const kept = journalled.catch(() => undefined);
    void Promise.all([committed, kept]).then(([taken]) => (taken === null ? undefined : this.#paid(row.id)));
    const first = await Promise.race([
      journalled.then(
        () => 'journal' as const,
        () => null,
      ),
      committed,
    ]);
    if (first === 'journal') return { durable: 'journal' };
    const taken = first ?? (await committed);
    if (taken !== null) return onLedger(taken);
    await journalled;
    return { durable: 'journal' };
  }

  /** Brings one hold that is owed into the ledger, if that takes it now. */
  async bring(id: string): Promise<void> {
    const row = this.#owed.get(id);
    if (row !== undefined && (await inTime(this.#commit(row, undefined), null, BRING_PATIENCE_MS)) !== null)
      await this.#paid(id);
  }

  /** Brings what the ledger refused in a busy moment into it after all; called now and then. */
  async settle(): Promise<void> {
    for (const row of this.#owed.values()) {
      if ((await this.#commit(row, undefined)) !== null) await this.#paid(row.id);
    }
  }

  #commit(row: HoldRow, request: string | undefined): Promise<Taken> {
    return this.#ledger.commit(holdChange(row, request)).then(
      ({ committed }) => (committed ? 'new' : 'known'),
      () => null,
    );
  }

  async #paid(id: string): Promise<void> {
    if (!this.#owed.delete(id) || this.#owed.size > 0) return;
    // Whatever stays in the journal comes again at the next start and is known by its id.
    await this.#journal.clear().catch(() => undefined);
  }
}

function onLedger(taken: NonNullable<Taken>): Rest {
  return { durable: 'ledger', isNew: taken === 'new' };
}

/** What the ledger says, or `otherwise` when it does not say so in time: within the patience of a freeze. */
export async function inTime<T>(asked: Promise<T>, otherwise: T, patienceMs = LEDGER_PATIENCE_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<T>((resolve) => {
    timer = setTimeout(resolve, patienceMs, otherwise);
  });
  try {
    return await Promise.race([asked, patience]);
  } finally {
    clearTimeout(timer);
  }
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
      ...aboutOf(row),
      data: { hold: row.id, target: row.target, subject: row.subject, reason: row.reason, placedAt: row.placed_at },
    },
  };
}

/** The hold that such an entry tells of; null for an entry that tells of none. */
export function holdOf({ actor, data }: AuditEntry): HoldRow | null {
  const { hold: id, target, subject, reason, placedAt } = data;
  const known = HOLD_TARGETS.find((each) => each === target);
  if (known === undefined || typeof id !== 'string' || typeof subject !== 'string') return null;
  return {
    id,
    target: known,
    subject,
    reason: typeof reason === 'string' ? reason : '',
    placed_by: actor,
    placed_at: Number(placedAt),
    ...IN_FORCE,
  };
}
