import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatDuration, parseDuration } from '../../src/core/duration.ts';
import { isKeyturnError } from '../../src/core/errors.ts';

function refuses(text: string): boolean {
  try {
    parseDuration(text);
    return false;
  } catch (error) {
    return isKeyturnError(error, 'invalid_input') && error.fix !== undefined;
  }
}

test.each([
  ['90s', 90],
  ['15m', 900],
  ['12h', 43_200],
  ['30d', 2_592_000],
  ['2w', 1_209_600],
])('%s is %d seconds', (text, seconds) => expect(parseDuration(text)).toBe(seconds));

test.each([
  '',
  '90',
  's',
  '0s',
  '-1s',
  '+1s',
  '1.5h',
  '01h',
  '1 h',
  ' 1h',
  '1h ',
  '1H',
  '1h30m',
  '1y',
  '1e3s',
  '٣s',
  '1h\n',
  '9999999999s',
])('%j is no duration', (text) => expect(refuses(text)).toBe(true));

test('any other text is refused with advice, whatever it is', () => {
  fc.assert(fc.property(fc.string(), (text) => /^[1-9][0-9]{0,8}[smhdw]$/.test(text) || refuses(text)));
});

test('a refusal quotes no more than the beginning', () => {
  try {
    parseDuration('x'.repeat(10_000));
    expect.unreachable();
  } catch (error) {
    expect((error as Error).message.length).toBeLessThan(100);
  }
});

test.each([
  [0, '0s'],
  [-5, '0s'],
  [59.9, '59s'],
  [60, '1m'],
  [5_400, '1h 30m'],
  [3_601, '1h 1s'],
  [90_061, '1d 1h'],
  [604_800, '7d'],
])('%d seconds are shown as %s', (seconds, text) => expect(formatDuration(seconds)).toBe(text));

test('what is shown is never more than it is, and less by under a twenty-fourth', () => {
  fc.assert(
    fc.property(fc.nat(10_000_000), (seconds) => {
      const shown = formatDuration(seconds)
        .split(' ')
        .reduce((sum, part) => sum + (part === '0s' ? 0 : parseDuration(part)), 0);
      expect(shown).toBeLessThanOrEqual(seconds);
      expect(seconds - shown).toBeLessThan(Math.max(1, seconds / 24));
    }),
  );
});
