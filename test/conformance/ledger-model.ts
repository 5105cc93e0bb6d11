import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Change, Check, Condition, Outcome, Write } from '../../src/ledger/change.ts';
import { FrozenClock, type LedgerHarness } from './ledger.ts';
import { change, credential, hold, store, version } from './ledger-rows.ts';

/** The ledger as one would write it on a napkin: arrays, copied before each change. */

type Row = Readonly<Record<string, unknown>>;
type State = Readonly<Record<'credentials' | 'versions' | 'holds' | 'stores', readonly Row[]>>;
type Result = Pick<Extract<Outcome, { committed: true }>, 'committed' | 'index'> | Outcome | 'conflict';

const KEYS = { credentials: ['name'], versions: ['credential', 'version'], holds: ['id'], stores: ['store'] };
const RUNS = Number(process.env['KEYTURN_MODEL_RUNS'] ?? 15);

function matches(row: Row, where: object): boolean {
  return Object.entries(where).every(([column, condition]) => fits(row[column], condition));
}

function fits(value: unknown, condition: Condition): boolean {
  if (condition === null || typeof condition !== 'object') return value === condition;
  if ('in' in condition) return (condition.in as readonly unknown[]).includes(value);
  if ('gt' in condition) return value !== null && value !== undefined && value > condition.gt;
  if ('lte' in condition) return typeof value === 'number' && value <= condition.lte;
  return value !== condition.not;
}

function duplicates(rows: readonly Row[], columns: readonly string[]): boolean {
  return new Set(rows.map((row) => JSON.stringify(columns.map((column) => row[column])))).size !== rows.length;
}

function isConsistent(state: State): boolean {
  const { versions } = state;
  if (Object.entries(KEYS).some(([table, key]) => duplicates(state[table as keyof State], key))) return false;
  if (
    duplicates(
      versions.filter((row) => row['state'] !== 'abandoned'),
      ['spki'],
    )
  ) {
    return false;
  }
  return !duplicates(
    versions.filter((row) => row['state'] === 'current'),
    ['credential'],
  );
}

/** Null for a conflict. */
function written(state: State, write: Write): State | null {
  if ('insert' in write) return replaceTable(state, write.insert, (rows) => [...rows, { ...write.row }]);
  if ('put' in write) {
    const key = KEYS[write.put as keyof State];
    const other = (row: Row) => key.some((column) => row[column] !== (write.row as unknown as Row)[column]);
    return replaceTable(state, write.put, (rows) => [...rows.filter(other), { ...write.row }]);
  }
  const touched = state[write.update as keyof State].filter((row) => matches(row, write.where)).length;
  if (write.rows !== undefined && write.rows !== touched) return null;
  return replaceTable(state, write.update, (rows) =>
    rows.map((row) => (matches(row, write.where) ? { ...row, ...write.set } : row)),
  );
}

function replaceTable(state: State, table: string, edit: (rows: readonly Row[]) => readonly Row[]): State | null {
  const next = { ...state, [table]: edit(state[table as keyof State]) };
  return isConsistent(next) ? next : null;
}

class Model {
  state: State = { credentials: [], versions: [], holds: [], stores: [] };
  kinds: string[] = [];

  apply(what: Change): Result {
    const failed = what.checks?.find((check) => !this.#holds(check));
    if (failed !== undefined) {
      if (what.refusal === undefined) return { committed: false, rule: failed.rule, index: null };
      return { committed: false, rule: failed.rule, index: this.kinds.push(what.refusal.kind) - 1 };
    }
    let state: State | null = this.state;
    for (const write of what.writes ?? []) state = state && written(state, write);
    if (state === null) return 'conflict';
    this.state = state;
    return { committed: true, index: this.kinds.push(what.entry.kind) - 1 };
  }

  #holds(check: Check): boolean {
    if ('notAfter' in check) return true;
    const rows = this.state[check.table as keyof State];
    return 'some' in check
      ? rows.some((row) => matches(row, check.some))
      : !rows.some((row) => matches(row, check.none));
  }
}

const names = fc.constantFrom('a', 'b', 'c');
const small = fc.integer({ min: 0, max: 3 });
const versionState = fc.constantFrom('staged', 'current', 'abandoned', 'previous');

const versionRow = fc
  .record({ name: names, number: fc.integer({ min: 1, max: 3 }), state: versionState, spki: names })
  .map(({ name, number, state, spki }) => version(name, number, { state, spki }));
const holdRow = fc
  .record({ id: names, subject: names, lifted_at: fc.option(small) })
  .map(({ id, subject, lifted_at }) => hold(id, { subject, lifted_at }));
const storeRow = fc.tuple(names, small).map(([name, generation]) => store(name, generation));

const condition = fc.oneof(
  fc.constant(null),
  small,
  small.map((gt) => ({ gt })),
  small.map((lte) => ({ lte })),
  fc.option(small).map((not) => ({ not })),
);
const holdWhere = fc.record(
  {
    subject: fc.oneof(
      names,
      fc.array(names).map((list) => ({ in: list })),
    ),
    lifted_at: condition,
  },
  { requiredKeys: [] },
);
const versionWhere = fc.record({ credential: names, state: versionState }, { requiredKeys: [] });

const check: fc.Arbitrary<Check> = fc.oneof(
  holdWhere.map((none) => ({ rule: 'no-hold', table: 'holds', none }) as const),
  holdWhere.map((some) => ({ rule: 'some-hold', table: 'holds', some }) as const),
  versionWhere.map((some) => ({ rule: 'some-version', table: 'versions', some }) as const),
  versionWhere.map((none) => ({ rule: 'no-version', table: 'versions', none }) as const),
);

const write: fc.Arbitrary<Write> = fc.oneof(
  holdRow.map((row) => ({ insert: 'holds', row }) as const),
  holdRow.map((row) => ({ put: 'holds', row }) as const),
  storeRow.map((row) => ({ put: 'stores', row }) as const),
  versionRow.map((row) => ({ insert: 'versions', row }) as const),
  versionRow.map((row) => ({ put: 'versions', row }) as const),
  fc
    .tuple(versionWhere, versionState, fc.option(small, { nil: undefined }))
    .map(([where, state, rows]) => updateOf({ update: 'versions', where, set: { state } }, rows)),
  fc
    .tuple(holdWhere, fc.option(small), fc.option(small, { nil: undefined }))
    .map(([where, lifted_at, rows]) => updateOf({ update: 'holds', where, set: { lifted_at } }, rows)),
);

function updateOf(write: Extract<Write, { update: unknown }>, rows: number | undefined): Write {
  return rows === undefined ? write : { ...write, rows };
}

const anyChange: fc.Arbitrary<Change> = fc
  .record({
    checks: fc.array(check, { maxLength: 1 }),
    writes: fc.array(write, { maxLength: 3 }),
    refused: fc.boolean(),
  })
  .map(({ checks, writes, refused }) =>
    change('a.change', {
      checks,
      writes,
      ...(refused ? { refusal: { kind: 'a.refusal', actor: 'system', data: {} } } : {}),
    }),
  );

export function modelProperty(harness: LedgerHarness): void {
  test('any sequence of changes ends as in a model of arrays, however they fall into batches', {
    timeout: 120_000,
  }, async () => {
    const script = fc.array(fc.array(anyChange, { minLength: 1, maxLength: 6 }), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(script, (batches) => runBoth(harness, batches)),
      { numRuns: RUNS },
    );
  });
}

async function runBoth(harness: LedgerHarness, batches: readonly (readonly Change[])[]): Promise<void> {
  const subject = await harness.create(new FrozenClock());
  const { ledger } = subject;
  try {
    const model = new Model();
    const credentials = ['a', 'b', 'c'].map((name) => ({ insert: 'credentials', row: credential(name) }) as const);
    for (const batch of [[change('a.start', { writes: credentials })], ...batches]) {
      const results = await Promise.allSettled(batch.map((each) => ledger.commit(each)));
      expect(results.map(resultOf)).toEqual(batch.map((each) => model.apply(each)));
    }
    for (const table of ['versions', 'holds', 'stores'] as const) {
      expect(sorted(await ledger.find(table, {}))).toEqual(sorted(model.state[table]));
      expect(await ledger.count(table, {})).toBe(model.state[table].length);
    }
    const entries = await ledger.entries({ limit: 1000 });
    expect(entries.map(({ json }) => JSON.parse(json).kind)).toEqual(model.kinds);
    expect((await ledger.head()).size).toBe(model.kinds.length);
  } finally {
    await subject.dispose();
  }
}

function resultOf(result: PromiseSettledResult<Outcome>): Result {
  if (result.status === 'rejected') return result.reason.code;
  return result.value.committed ? { committed: true, index: result.value.index } : result.value;
}

function sorted(rows: readonly object[]): string[] {
  return rows.map((row) => JSON.stringify(row, Object.keys(row).sort())).sort();
}
