import type { Desk } from '../../../src/credential/desk.ts';
import { LEGAL_MOVES } from '../../../src/credential/version/states.ts';
import type { Change } from '../../../src/ledger/change.ts';
import type { LeaseRow, RotationRow, VersionRow } from '../../../src/ledger/tables.ts';
import { type Facts, factsOf, waiverOf } from '../../../src/rotation/workflow/facts.ts';
import {
  isPast,
  pathOf,
  type Step,
  UNDO_DRAINED,
  UNDO_PROMOTED,
  UNDO_STAGED,
} from '../../../src/rotation/workflow/path.ts';

interface Picture {
  readonly rotations: ReadonlyMap<string, RotationRow>;
  readonly versions: ReadonlyMap<number, VersionRow>;
}

export interface Rules {
  readonly longestRequestMs: number;
  /** Whether the profile names a test. */
  readonly tested: boolean;
}

const EMPTY: Picture = { rotations: new Map(), versions: new Map() };

/** Looks after each commit whether what it changed may be changed so. */
export class Watch {
  /** What was seen to be wrong, a sentence each. */
  readonly faults: string[] = [];
  /** What no step expects. */
  readonly errors: string[] = [];
  commits = 0;
  readonly #desk: Desk;
  readonly #credential: string;
  readonly #rules: Rules;
  #before: Picture = EMPTY;

  constructor(desk: Desk, credential: string, rules: Rules) {
    this.#desk = desk;
    this.#credential = credential;
    this.#rules = rules;
  }

  async look({ entry, writes = [] }: Change): Promise<void> {
    this.commits += 1;
    const before = this.#before;
    const { rotations, versions } = await this.#picture();
    this.#before = { rotations, versions };
    const said = (fault: string) => this.faults.push(`${entry.kind}: ${fault}`);
    const open = [...rotations.values()].filter(({ ended_at }) => ended_at === null);
    const current = [...versions.values()].filter(({ state }) => state === 'current');
    if (open.length > 1) said(`${open.length} rotations are open`);
    if (current.length > 1) said(`${current.length} versions are current`);
    for (const fault of await this.#decisions(open[0] ?? null)) said(fault);
    if (open[0] !== undefined) for (const fault of orderFaults(entry.kind, open[0], versions)) said(fault);
    for (const [number, row] of versions) {
      const was = before.versions.get(number)?.state;
      if (was === undefined || was === row.state) continue;
      if (!LEGAL_MOVES[was].includes(row.state)) said(`version ${number} went from ${was} to ${row.state}`);
      for (const fault of await this.#moveFaults(row, open[0] ?? null)) said(fault);
    }
    for (const write of writes) {
      if (!('insert' in write) || write.insert !== 'leases') continue;
      const fault = lendFault(write.row, versions, open[0] ?? null);
      if (fault !== null) said(fault);
    }
    for (const [id, row] of rotations) {
      for (const fault of changeFaults(before.rotations.get(id), row, current[0]?.version ?? null)) said(fault);
    }
  }

  /** A certificate is about to be revoked, by whom it may concern. */
  async revoking(serial: string): Promise<void> {
    const { rotations, versions } = await this.#picture();
    const version = [...versions.values()].find((row) => row.serial === serial);
    if (version === undefined) return;
    if (version.state === 'current') this.faults.push(`version ${version.version} was revoked while it was current`);
    const open = [...rotations.values()].find(({ ended_at }) => ended_at === null);
    if (open?.replaces !== version.version || open.state === 'undoing') return;
    const facts = factsOf(open);
    const proven = facts.canary?.verdict === 'accepted' || waiverOf(facts, 'canary') !== null || !this.#rules.tested;
    if (!proven) this.faults.push(`version ${version.version} was revoked before its successor was proven`);
  }

  /** @throws Error with all that was seen. */
  mustBeClean(): void {
    const all = [...this.faults, ...this.errors];
    if (all.length > 0) throw new Error(all.join('\n'));
  }

  /** Nothing is left over when no rotation is open. @throws Error */
  async mustBeDone(): Promise<void> {
    const { rotations, versions } = await this.#picture();
    const tasks = await this.#desk.ledger.find('tasks', { credential: this.#credential, state: 'open' });
    const stateOf = (number: number | null) => versions.get(number ?? 0)?.state;
    for (const { id, kind, rotation } of tasks) {
      // What was given up may be revoked by a person after its end.
      const undone = rotations.get(rotation)?.state !== 'completed';
      if (!undone) this.faults.push(`the task ${id} (${kind}) of a completed rotation is open`);
    }
    for (const { id, kind } of tasks) if (kind === 'decide') this.faults.push(`nothing waits for the decision ${id}`);
    for (const row of rotations.values()) {
      if (row.state === 'completed' && row.replaces !== null && stateOf(row.replaces) !== 'destroyed') {
        this.faults.push(`version ${row.replaces} is ${stateOf(row.replaces)}, and its rotation is completed`);
      }
      if (
        row.state !== 'completed' &&
        row.version !== null &&
        ['staged', 'current'].includes(stateOf(row.version) ?? '')
      ) {
        this.faults.push(`version ${row.version} is ${stateOf(row.version)}, and its rotation was undone`);
      }
    }
    const issued = await this.#desk.ledger.find('issued', { credential: this.#credential, revoked_at: null });
    const all = await this.#desk.ledger.find('tasks', { credential: this.#credential }, { limit: 1_000 });
    for (const { serial, spki } of issued) {
      const known = [...versions.values()].find((row) => row.serial === serial);
      // Or a person was told to have it revoked, or to look for whatever there is of its key.
      const told = all.some(
        ({ state, body }) => state !== 'cancelled' && (body.includes(serial) || body.includes(spki)),
      );
      if (known === undefined && !told) this.faults.push(`nobody knows the certificate ${serial}`);
    }
    this.mustBeClean();
  }

  async #picture(): Promise<Picture> {
    const where = { credential: this.#credential };
    const { ledger } = this.#desk;
    const [rotations, versions] = await Promise.all([ledger.find('rotations', where), ledger.find('versions', where)]);
    return {
      rotations: new Map(rotations.map((row) => [row.id, row])),
      versions: new Map(versions.map((row) => [row.version, row])),
    };
  }

  /** What is halted waits for one decision, and nothing else does. */
  async #decisions(open: RotationRow | null): Promise<string[]> {
    const where = { credential: this.#credential, kind: 'decide', state: 'open' } as const;
    const waiting = await this.#desk.ledger.count('tasks', where);
    const wanted = open?.state === 'halted' ? 1 : 0;
    return waiting === wanted ? [] : [`it is ${open?.state}, and ${waiting} decisions are waited for`];
  }

  async #moveFaults({ version, state }: VersionRow, open: RotationRow | null): Promise<string[]> {
    if (state === 'retired') return this.#retiredFaults(version, open);
    if (state !== 'destroyed' || open === null || open.replaces !== version) return [];
    const facts = factsOf(open);
    const dead = facts.provenAt !== undefined || waiverOf(facts, 'proof') !== null;
    return dead ? [] : [`version ${version} was destroyed before it was proven dead`];
  }

  /** Whoever had it last may have begun a request at the end of their lease. */
  async #retiredFaults(version: number, open: RotationRow | null): Promise<string[]> {
    if (open !== null && waiverOf(factsOf(open), 'drain') !== null) return [];
    const leases = await this.#desk.ledger.find('leases', { credential: this.#credential, version });
    const last = Math.max(0, ...leases.map((lease: LeaseRow) => lease.expires_at));
    const left = last + this.#rules.longestRequestMs - this.#desk.clock.now();
    return left > 0 ? [`version ${version} was retired ${left} ms before the last request on it was over`] : [];
  }
}

/** Lent is what is current; or what is staged and was seen to be accepted, while a share of the clients has it first. */
function lendFault({ version }: LeaseRow, versions: Picture['versions'], open: RotationRow | null): string | null {
  const state = versions.get(version)?.state;
  if (state === 'current') return null;
  const sharing = open?.state === 'running' && open.step === 'share' && open.version === version;
  const accepted = open !== null && factsOf(open).canary?.verdict === 'accepted';
  return state === 'staged' && sharing && accepted ? null : `version ${version} was lent while it was ${state}`;
}

const ENDS = new Set<RotationRow['state']>(['completed', 'aborted', 'rolled-back']);

function changeFaults(before: RotationRow | undefined, after: RotationRow, current: number | null): string[] {
  const faults = [...stateFaults(after)];
  if (before === undefined || same(before, after)) return faults;
  if (before.ended_at !== null) faults.push(`${after.id} had ended, and changed`);
  if (after.revision !== before.revision + 1) faults.push(`revision ${before.revision} became ${after.revision}`);
  if (before.version !== null && after.version !== before.version) faults.push('it changed its version');
  const [had, has] = [factsOf(before), factsOf(after)];
  if (had.undone !== undefined && has.path.join() !== had.path.join()) {
    const resumed = has.undone === undefined && current !== null && current === after.version;
    const barred = has.path.join() === UNDO_DRAINED.join() && before.state === 'halted' && before.step === 'restore';
    const neither = current !== after.version && current !== after.replaces;
    if (!resumed && !(barred && neither)) faults.push(`it was undone twice while version ${current} was current`);
  }
  if ((after.state === 'aborted' || after.state === 'rolled-back') && current !== null && current === after.version) {
    faults.push(`it is ${after.state}, and its version is current`);
  }
  if (has.undone === undefined && isPast(had.path, after.step as Step, before.step as Step)) {
    faults.push(`it went back from ${before.step} to ${after.step}`);
  }
  return faults;
}

/** What may be ordered by how the two versions stand, told another way than the table of orders tells it. */
function orderFaults(kind: string, row: RotationRow, versions: Picture['versions']): string[] {
  const fresh = versions.get(row.version ?? 0)?.state;
  const old = versions.get(row.replaces ?? 0)?.state;
  if (kind === 'rotation.abort-asked' && fresh === 'current') return ['what is current is given up'];
  if (kind === 'rotation.resume-asked' && fresh !== 'current') return [`what is ${fresh} is gone on with`];
  const back = old === 'previous' || old === 'current';
  return kind === 'rotation.roll-back-asked' && !back ? [`what is ${old} is to become current again`] : [];
}

/** State, step and path go together. */
function stateFaults({ state, step, facts: text, ended_at, replaces }: RotationRow): string[] {
  const facts: Facts = factsOf({ facts: text });
  const legal = facts.undone === undefined ? [pathOf(facts.way)] : [UNDO_STAGED, UNDO_PROMOTED, UNDO_DRAINED];
  const undoing = ['undoing', 'aborted', 'rolled-back'].includes(state);
  return [
    ...(legal.some((path) => path.join() === facts.path.join()) ? [] : [`its path is ${facts.path.join()}`]),
    ...(facts.path.includes(step as Step) ? [] : [`it is at ${step}, which is not on its path`]),
    ...(ENDS.has(state) === (ended_at !== null) ? [] : [`it is ${state}, and its end is ${ended_at}`]),
    ...(state === 'halted' || undoing === (facts.undone !== undefined)
      ? []
      : [`it is ${state}, and ${facts.undone?.why}`]),
    ...(facts.path.includes('restore') && replaces === null ? ['there is nothing to restore'] : []),
  ];
}

function same(one: RotationRow, other: RotationRow): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
