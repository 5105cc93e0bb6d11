import { expect, test } from 'vitest';
import { entryLine } from '../../../src/cli/terminal/entry-line.ts';

test('what a person wrote reads as one fact, whatever it says', () => {
  const entry = {
    time: '2026-11-26T12:00:00.000Z',
    index: 11,
    kind: 'hold.placed',
    actor: 'person:alice',
    credential: 'lean/sandbox',
    data: { reason: 'x subject=lean/other "y"', subject: 'lean/sandbox', count: 2, list: [1] },
  };
  expect(entryLine(entry)).toBe(
    '2026-11-26T12:00:00.000Z  #11  hold.placed              person:alice lean/sandbox  ' +
      'reason="x subject=lean/other \\"y\\"" subject=lean/sandbox count=2',
  );
});
