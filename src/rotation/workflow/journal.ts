import type { JsonObject } from '../../core/canonical-json.ts';
import type { Check, Write } from '../../ledger/change.ts';
import type { Fence } from '../../ledger/fence.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { RotationRow } from '../../ledger/tables.ts';
import { type Facts, factsOf, type Pause, withoutDrainWaivers } from './facts.ts';
import { type Step, stepAfter } from './path.ts';

/** What a step leaves behind, in the same commit as the rotation's own row. */
export interface Progress {
  readonly facts?: Partial<Facts>;
  readonly set?: Partial<RotationRow>;
  readonly writes?: readonly Write[];
  readonly checks?: readonly Check[];
  /** Instead of the rotation's own kind of entry: a kind that others watch for. */
  readonly entry?: { readonly kind: string; readonly version?: number; readonly data?: JsonObject };
}

/**
 * How a step ended: on to the next; not yet, look again in so many milliseconds; a person must decide; or back, along
 * another path.
 */
export type StepOutcome =
  | { readonly kind: 'next'; readonly progress?: Progress }
  | { readonly kind: 'wait'; readonly why: string; readonly againMs: number; readonly progress?: Progress }
  | { readonly kind: 'halt'; readonly why: string; readonly progress?: Progress }
  | { readonly kind: 'undo'; readonly why: string; readonly path: readonly Step[]; readonly progress: Progress };

/**
 * Writes what the steps of one rotation did. Each commit names the revision that it was decided on, and the fence that
 * it was decided inside of: whoever was overtaken changes nothing, and is told so.
 */
export class Journal {
  readonly #ledger: Ledger;
  readonly #fence: Fence;
  readonly #now: () => number;
  #row: RotationRow;
  #pause: Pause | undefined;

  constructor(ledger: Ledger, fence: Fence, now: () => number, row: RotationRow) {
    this.#ledger = ledger;
    this.#fence = fence;
    this.#now = now;
    this.#row = row;
  }

  /** As last written. */
  get row(): RotationRow {
    return this.#row;
  }

  /** The end of a step that was tried so often before. @throws {@link Overtaken} */
  record(outcome: StepOutcome, tries: number): Promise<void> {
    const { progress = {} } = outcome;
    if (outcome.kind === 'next') return this.#advance(progress);
    if (outcome.kind === 'undo') return this.#goBack(outcome);
    // On record, so that no other server of the ledger tries sooner.
    if (outcome.kind === 'wait') this.#pause = { until: this.#now() + outcome.againMs, tries: tries + 1 };
    const state = outcome.kind === 'halt' ? 'halted' : this.#row.state;
    const data = { step: this.#row.step, why: outcome.why };
    return this.#commit(progress, { state, waits_for: outcome.why }, [`rotation.${KINDS[outcome.kind]}`, data]);
  }

  /** In the midst of a step. @throws {@link Overtaken} */
  note(kind: string, progress: Progress): Promise<void> {
    return this.#commit(progress, {}, [kind, {}]);
  }

  #goBack({ why, path, progress }: Extract<StepOutcome, { readonly kind: 'undo' }>): Promise<void> {
    const now = this.#now();
    const { waivers } = withoutDrainWaivers(factsOf(this.#row));
    const kept = waivers === undefined ? {} : { waivers };
    const facts = { ...progress.facts, ...kept, path, undone: { by: SELF, why, at: now } };
    const moved = { state: 'undoing', step: path[0] ?? 'discard', step_since: now, waits_for: '' } as const;
    return this.#commit({ ...progress, facts }, moved, ['rotation.rolling-back', { step: this.#row.step, why }]);
  }

  #advance(progress: Progress): Promise<void> {
    const { state, step: done, facts } = this.#row;
    const step = stepAfter(factsOf({ facts }).path, done as Step);
    const now = this.#now();
    if (step !== null) {
      const set = { step, step_since: now, waits_for: '' };
      return this.#commit(progress, set, ['rotation.advanced', { done, next: step }]);
    }
    const end = endOf(state, factsOf({ facts }));
    // The last step may have an entry of another kind: it says that this was the end.
    const ended = { done, ended: end };
    return this.#commit(progress, { state: end, waits_for: '', ended_at: now }, [`rotation.${end}`, ended]);
  }

  async #commit(
    progress: Progress,
    moved: Partial<RotationRow>,
    [kind, data]: readonly [string, JsonObject],
  ): Promise<void> {
    const row = this.#row;
    const facts = JSON.stringify({ ...factsOf(row), ...progress.facts, pause: this.#pause });
    const changed = { facts, revision: row.revision + 1, changed_at: this.#now() };
    const set: Partial<RotationRow> = { ...progress.set, ...moved, ...changed };
    const { entry, writes = [], checks = [] } = progress;
    const version = entry?.version ?? set.version ?? row.version ?? row.replaces;
    const outcome = await this.#ledger.commit({
      checks: [
        ...this.#fence.checks,
        { rule: 'rotation-moved-on', table: 'rotations', some: { id: row.id, revision: row.revision } },
        ...checks,
      ],
      writes: [...writes, { update: 'rotations', where: { id: row.id }, set, rows: 1 }],
      entry: {
        kind: entry?.kind ?? kind,
        actor: 'system',
        credential: row.credential,
        ...(version === null ? {} : { version }),
        data: { rotation: row.id, ...data, ...entry?.data },
      },
    });
    if (!outcome.committed) throw new Overtaken(outcome.rule);
    this.#row = { ...row, ...set };
  }
}

/** What a step was decided on has changed before it was written: nothing was, and it is decided anew. */
export class Overtaken extends Error {
  readonly rule: string;

  constructor(rule: string) {
    super(`A rotation met a change while it was recorded (${rule}).`);
    this.rule = rule;
  }
}

/** Who takes back what fails a share of the clients. */
const SELF = 'system';

/** Kinds of entries. */
const KINDS = { wait: 'waits', halt: 'halted' } as const;

/** How a way ends, by the state in which it was gone. */
function endOf(state: RotationRow['state'], { path, undone }: Facts): RotationRow['state'] {
  if (state !== 'undoing') return 'completed';
  return path.includes('restore') || undone?.by === SELF ? 'rolled-back' : 'aborted';
}
