import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { LEGAL_MOVES, moveVersion } from '../../../src/credential/version/states.ts';
import type { VersionRow, VersionState } from '../../../src/ledger/tables.ts';

const STATES = Object.keys(LEGAL_MOVES) as VersionState[];
const row = (state: VersionState) => ({ credential: 'lean/sandbox', version: 1, state }) as VersionRow;

test.each(STATES)('from %s a version moves where the table says, and nowhere else', (from) => {
  for (const to of STATES) {
    const write = () => moveVersion(row(from), to, 5);
    if (!LEGAL_MOVES[from].includes(to)) {
      expect(write).toThrow(`does not go from ${from} to ${to}`);
      continue;
    }
    // The state it was judged in must still be its state: else no row is touched, and the commit is refused.
    expect(write()).toEqual({
      update: 'versions',
      where: { credential: 'lean/sandbox', version: 1, state: from },
      set: { state: to, changed_at: 5 },
      rows: 1,
    });
  }
});

test('nothing leaves destroyed or abandoned, and what is compromised is never usable again', () => {
  expect([LEGAL_MOVES.destroyed, LEGAL_MOVES.abandoned]).toEqual([[], []]);
  const reach = (from: VersionState, seen = new Set<VersionState>()): Set<VersionState> => {
    for (const to of LEGAL_MOVES[from]) if (!seen.has(to)) reach(to, seen.add(to));
    return seen;
  };
  expect([...reach('compromised')]).toEqual(['destroyed']);
  expect([...reach('retired')].sort()).toEqual(['compromised', 'destroyed']);
});

test('every way to destroyed goes through a state that nobody is lent from', () => {
  const before = STATES.filter((from) => LEGAL_MOVES[from].includes('destroyed'));
  expect(before).toEqual(['retired', 'compromised', 'quarantined']);
});

test('no use case changes a state past the table', () => {
  const folder = join(import.meta.dirname, '../../../src/credential');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  const changing = files.filter((file) =>
    /update: 'versions'[^\n]*(?:\n[^\n]*){0,3}set: \{[^}]*\bstate\b/.test(readFileSync(join(folder, file), 'utf8')),
  );
  expect(changing).toEqual(['version/states.ts']);
});
