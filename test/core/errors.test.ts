import { expect, test } from 'vitest';
import { isKeyturnError, KeyturnError } from '../../src/core/errors.ts';

test('an error carries its code, message, advice, facts and cause', () => {
  const cause = new Error('disk');
  const error = new KeyturnError('ledger_unavailable', 'The ledger is closed.', {
    fix: 'Start it.',
    facts: { size: 3 },
    cause,
  });
  expect(error).toMatchObject({
    name: 'KeyturnError',
    code: 'ledger_unavailable',
    message: 'The ledger is closed.',
    cause,
  });
  expect(error.fix).toBe('Start it.');
  expect(error.facts).toEqual({ size: 3 });
  expect(error.stack).toContain('errors.test.ts');
});

test('what was not given is absent: no advice, no facts, no cause', () => {
  const error = new KeyturnError('internal', 'A bug.');
  expect(error.fix).toBeUndefined();
  expect(error.facts).toEqual({});
  expect('cause' in error).toBe(false);
});

test('an error is told by its class and its code', () => {
  const error: unknown = new KeyturnError('not_found', 'Nothing there.');
  expect(isKeyturnError(error)).toBe(true);
  expect(isKeyturnError(error, 'not_found')).toBe(true);
  expect(isKeyturnError(error, 'conflict')).toBe(false);
});

test.each([
  ['another error with the same code', Object.assign(new Error('x'), { code: 'not_found' })],
  ['an object that looks like one', { name: 'KeyturnError', code: 'not_found', message: '' }],
  ['null', null],
  ['undefined', undefined],
  ['a text', 'not_found'],
])('%s is none', (_, value) => expect(isKeyturnError(value, 'not_found')).toBe(false));
