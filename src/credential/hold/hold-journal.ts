import type { Change } from '../../ledger/change.ts';
import type { EmergencyJournal } from '../../ledger/journal/emergency-journal.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { HoldRow } from '../../ledger/tables.ts';
import { aboutOf } from './credential-of.ts';

/** How long a freeze waits for the ledger before it goes to the emergency journal, milliseconds. */
const LEDGER_PATIENCE_MS = 40;

/** For whoever wants to lift a hold that is not on the ledger yet, milliseconds. */
const BRING_PATIENCE_MS = 1_000;

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
  async record(row: HoldRow, request: string | undefined): Promise<'ledger' | 'journal'> {
    const committed = this.#commit(row, request);
    if (await inTime(committed, false)) return 'ledger';
    this.#owed.set(row.id, row);
    const journalled = this.#journal.append({ ...row });
    const kept = journalled.catch(() => undefined);
    void Promise.all([committed, kept]).then(([taken]) => (taken ? this.#paid(row.id) : undefined));
    const first = await Promise.race([
      journalled.then(
        () => 'journal' as const,
        () => 'neither' as const,
      ),
      committed,
    ]);
    if (first === 'journal') return 'journal';
    if (first === true || (await committed)) return 'ledger';
    await journalled;
    return 'journal';
  }

  /** Brings one hold that is owed into the ledger, if that takes it now. */
  async bring(id: string): Promise<void> {
    const row = this.#owed.get(id);
    if (row !== undefined && (await inTime(this.#commit(row, undefined), false, BRING_PATIENCE_MS)))
      await this.#paid(id);
  }

  /** Brings what the ledger refused in a busy moment into it after all; called now and then. */
  async settle(): Promise<void> {
    for (const row of this.#owed.values()) {
      if (await this.#commit(row, undefined)) await this.#paid(row.id);
    }
  }

  /** True once the ledger has it. */
  #commit(row: HoldRow, request: string | undefined): Promise<boolean> {
    return this.#ledger.commit(holdChange(row, request)).then(
      () => true,
      () => false,
    );
  }

  async #paid(id: string): Promise<void> {
    if (!this.#owed.delete(id) || this.#owed.size > 0) return;
    // Whatever stays in the journal comes again at the next start and is known by its id.
    await this.#journal.clear().catch(() => undefined);
  }
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
