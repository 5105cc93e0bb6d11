import { expect, test } from 'vitest';
import { TreeFrontier } from '../../../src/audit/tree.ts';
import type { Change, Check } from '../../../src/ledger/change.ts';
import { LogTail } from '../../../src/ledger/log/log-tail.ts';
import { Run, runsOf } from '../../../src/ledger/postgres/commit/many-changes.ts';
import { change, credential, hold, store } from '../../conformance/ledger-rows.ts';

const noHold: Check = { rule: 'held', table: 'holds', none: { target: 'host', subject: 'a' } };
const known: Check = { rule: 'known', table: 'stores', some: { store: 's' } };

function tailAt(time: number): LogTail {
  return new LogTail({ frontier: TreeFrontier.empty(), time: 0, behind: false }, time);
}

/** As the database answers: a row for each question, with these checks failing. */
function answersTo(run: Run, failing: readonly string[] = []) {
  return run.questions.map(({ sql }) => {
    const columns = [...sql.matchAll(/FROM (\w+) WHERE .*? AS (check_\d+)/g)];
    const row = Object.fromEntries(columns.map(([, table = '', column = '']) => [column, !failing.includes(table)]));
    return { rows: [row], rowCount: 1, command: 'SELECT' };
  });
}

function decided(changes: readonly Change[], failing: readonly string[] = []) {
  const [run] = Run.of(changes);
  if (run === undefined) throw new Error('No run.');
  return run.decide(answersTo(run, failing), tailAt(5), 5);
}

test('checks that are one object are asked about once, and hold for all that carry them', () => {
  const changes = ['h1', 'h2', 'h3'].map((id) =>
    change('hold.placed', { checks: [known, noHold], writes: [{ insert: 'credentials', row: credential(id) }] }),
  );
  expect(Run.of(changes).map(({ questions }) => questions.length)).toEqual([1]);
  expect(decided(changes).settled.map((each) => 'committed' in each && each.committed)).toEqual([true, true, true]);
  const failed = decided(changes, ['holds']);
  expect(failed.settled).toMatchObject([{ rule: 'held' }, { rule: 'held' }, { rule: 'held' }]);
  expect(failed.writes).toEqual([]);
});

test('of equal checks that are two objects each is asked about', () => {
  const [run] = Run.of([change('a', { checks: [known] }), change('b', { checks: [{ ...known }] })]);
  expect(run?.questions).toHaveLength(2);
});

test('a change that asks about what one before it writes begins another run', () => {
  const places = change('hold.placed', { checks: [known], writes: [{ insert: 'holds', row: hold('h1') }] });
  const asks = change('asked', { checks: [noHold] });
  expect(Run.of([asks, places, places]).map(({ questions }) => questions.length)).toEqual([2]);
  expect(Run.of([places, asks, asks]).map(({ questions }) => questions.length)).toEqual([1, 1]);
});

test('an instant that has passed refuses one change alone, and its writes are left out', () => {
  const writes = [{ insert: 'stores', row: store('s', 1) }] as const;
  const late = change('late', { checks: [{ rule: 'expired', notAfter: 4 }], writes });
  const { settled, writes: made } = decided([late, change('in.time', { checks: [{ rule: 'expired', notAfter: 5 }] })]);
  expect(settled).toMatchObject([{ committed: false, rule: 'expired' }, { committed: true }]);
  expect(made).toEqual([]);
});

test('what can’t be translated makes no runs', () => {
  const odd = { rule: 'odd', table: 'stores', some: { generation: { like: 'x' } as unknown as number } } as const;
  expect(runsOf([change('a'), change('b', { checks: [odd] })])).toBeNull();
});
