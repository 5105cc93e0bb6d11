import { Counter, Gauge, type Registry } from 'prom-client';
import type { Desk } from '../credential/desk.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { RotationRow, TaskRow } from '../ledger/tables.ts';
import { lifetimeLeft } from '../rotation/due/expiry-warning.ts';
import { type DueSummary, SPANS_DAYS } from '../rotation/due/starter.ts';
import { TASK_KINDS } from '../rotation/task/tasks.ts';
import { factsOf } from '../rotation/workflow/facts.ts';
import { oneByOne, watchClients } from './rotation-counters.ts';

/** Rows read for a scrape: what is under way, and what people have to do. */
const MOST = 10_000;
/** Staged versions with a series of their own, those that end first. */
const STAGED = 1_000;
/** Entries of one kind read at a time. */
const ENTRIES = 1_000;
/** How rotations end, by the entry that says so. */
const ENDS = { completed: 'rotation.completed', aborted: 'rotation.aborted', 'rolled-back': 'rotation.rolled-back' };

/**
 * What there is to see of rotations, tasks and ends of certificates. All of it is the ledger's: every server says the same.
 * What can't be read at a scrape stays as it was.
 */
export function watchRotations(registry: Registry, desk: Desk, summary: () => Promise<DueSummary>): void {
  watchOpen(registry, desk);
  watchTasks(registry, desk);
  watchEnds(registry, desk.ledger);
  watchClients(registry, desk.ledger);
  watchDue(registry, summary);
  watchLifetimes(registry, desk, summary);
}

/** One reading for all that is collected in one scrape; null when there was none. */
function joined<T>(read: () => Promise<T>): () => Promise<T | null> {
  let under: Promise<T | null> | null = null;
  return () => {
    under ??= read()
      .catch(() => null)
      .finally(() => {
        under = null;
      });
    return under;
  };
}

function watchOpen(registry: Registry, desk: Desk): void {
  const read = joined(() => desk.ledger.find('rotations', { ended_at: null }, { limit: MOST }));
  const registers = [registry];
  const labelNames = ['step', 'state'] as const;
  new Gauge({
    name: 'keyturn_rotations_open',
    help: 'Rotations under way, by step and state.',
    labelNames,
    registers,
    async collect() {
      const rows = await read();
      if (rows === null) return;
      this.reset();
      for (const [labels, group] of grouped(rows)) this.set(labels, group.length);
    },
  });
  new Gauge({
    name: 'keyturn_rotation_step_age_seconds',
    help: 'Since when the rotation stands that has stood longest, by step and state.',
    labelNames,
    registers,
    async collect() {
      const rows = await read();
      if (rows === null) return;
      this.reset();
      for (const [labels, group] of grouped(rows)) {
        const since = Math.min(...group.map(({ step_since }) => step_since));
        this.set(labels, Math.max(0, desk.clock.now() - since) / 1000);
      }
    },
  });
  new Gauge({
    name: 'keyturn_rotation_proofs_overdue',
    help: 'Rotations whose old certificate is not proven dead by the deadline.',
    registers,
    async collect() {
      const rows = await read();
      if (rows !== null) this.set(rows.filter(isProofOverdue).length);
    },
  });
}

function grouped(rows: readonly RotationRow[]) {
  const groups = Map.groupBy(rows, ({ step, state }) => `${step} ${state}`);
  return [...groups.values()].map((group) => {
    const { step = '', state = '' } = group[0] ?? {};
    return [{ step, state }, group] as const;
  });
}

function isProofOverdue(row: RotationRow): boolean {
  const { overdueSince, provenAt } = factsOf(row);
  return overdueSince !== undefined && provenAt === undefined;
}

function watchTasks(registry: Registry, desk: Desk): void {
  const read = joined(() => desk.ledger.find('tasks', { state: 'open' }, { limit: MOST }));
  const gauge = (name: string, help: string, counts: (row: TaskRow) => boolean) =>
    new Gauge({
      name,
      help,
      labelNames: ['kind'],
      registers: [registry],
      async collect() {
        const rows = await read();
        if (rows === null) return;
        const counted = rows.filter(counts);
        for (const kind of TASK_KINDS) this.set({ kind }, counted.filter((row) => row.kind === kind).length);
      },
    });
  gauge('keyturn_tasks_open', 'Tasks of people that are open, by kind.', () => true);
  gauge('keyturn_tasks_overdue', 'Tasks of people that are open past their due date, by kind.', ({ due_at }) => {
    return due_at < desk.clock.now();
  });
}

/** Counted from this server's start on, by what the log tells. */
function watchEnds(registry: Registry, ledger: Ledger): void {
  let from = ledger.status().size;
  const read = oneByOne(async () => {
    const to = ledger.status().size;
    const counts = await Promise.all(
      Object.entries(ENDS).map(async ([state, kind]) => [state, await countEntries(ledger, kind, from, to)] as const),
    );
    from = to;
    return counts;
  });
  new Counter({
    name: 'keyturn_rotations_ended_total',
    help: 'Rotations that have ended since this server started, by how; each server counts all of them.',
    labelNames: ['state'],
    registers: [registry],
    async collect() {
      const counts = await read().catch(() => null);
      if (counts === null) return;
      for (const [state, count] of counts) this.inc({ state }, count);
    },
  });
}

async function countEntries(ledger: Ledger, kind: string, start: number, to: number): Promise<number> {
  let count = 0;
  for (let from = start; from < to; ) {
    const page = await ledger.entries({ kind, from, to, limit: ENTRIES });
    count += page.length;
    if (page.length < ENTRIES) break;
    from = (page.at(-1)?.index ?? to) + 1;
  }
  return count;
}

function watchDue(registry: Registry, summary: () => Promise<DueSummary>): void {
  const read = joined(summary);
  const gauge = (name: string, help: string, value: (seen: DueSummary) => number) =>
    new Gauge({
      name,
      help,
      registers: [registry],
      async collect() {
        const seen = await read();
        if (seen !== null) this.set(value(seen));
      },
    });
  gauge(
    'keyturn_rotation_starts_failing',
    'Credentials whose rotation is due and can not begin; the log says why.',
    ({ failing }) => failing,
  );
  gauge(
    'keyturn_rotations_late',
    'Credentials past the latest time to begin a rotation, with none under way.',
    ({ late }) => late,
  );
  new Gauge({
    name: 'keyturn_rotations_forecast',
    help: 'Rotations that fall due within so many days, those that are due already among them.',
    labelNames: ['within'],
    registers: [registry],
    async collect() {
      const seen = await read();
      if (seen === null) return;
      for (const days of SPANS_DAYS) this.set({ within: `${days}d` }, seen.within[days]);
    },
  });
}

/** Relative to the lifetime: what is near for a year is far for a day. What another version follows is mute. */
function watchLifetimes(registry: Registry, { ledger, clock }: Desk, summary: () => Promise<DueSummary>): void {
  new Gauge({
    name: 'keyturn_credential_lifetime_left_ratio',
    help: 'Share of its lifetime that a current or staged version has left, of those with the least.',
    labelNames: ['credential', 'version', 'state'],
    registers: [registry],
    async collect() {
      const first = { orderBy: 'not_after', limit: STAGED } as const;
      const [seen, staged] = await Promise.all([
        summary().catch(() => null),
        ledger.find('versions', { state: 'staged' }, first).catch(() => null),
      ]);
      if (seen === null || staged === null) return;
      this.reset();
      const now = clock.now();
      for (const version of seen.nearest) {
        const { credential, version: number } = version;
        this.set({ credential, version: number, state: 'current' }, lifetimeLeft(version, now));
      }
      for (const { credential, version, not_before: notBefore, not_after: notAfter } of staged) {
        this.set({ credential, version, state: 'staged' }, lifetimeLeft({ notBefore, notAfter }, now));
      }
    },
  });
}
