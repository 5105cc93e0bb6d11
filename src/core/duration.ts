import { KeyturnError } from './errors.ts';

const UNIT_SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 } as const;

/**
 * Reads `90s`, `15m`, `12h`, `30d` or `2w` as whole seconds.
 * @throws KeyturnError `invalid_input` for anything else; a unit is always needed.
 */
export function parseDuration(text: string): number {
  const match = /^([1-9][0-9]{0,8})([smhdw])$/.exec(text);
  if (match === null) {
    throw new KeyturnError('invalid_input', `"${text.slice(0, 40)}" is not a duration.`, {
      fix: 'Write a whole number and a unit: 90s, 15m, 12h, 30d or 2w.',
    });
  }
  return Number(match[1]) * UNIT_SECONDS[match[2] as keyof typeof UNIT_SECONDS];
}

/** `5400` seconds as `1h 30m`: the two largest units that are not zero, for people. */
export function formatDuration(seconds: number): string {
  const parts: string[] = [];
  let rest = Math.max(0, Math.floor(seconds));
  for (const [unit, size] of [
    ['d', 86_400],
    ['h', 3_600],
    ['m', 60],
    ['s', 1],
  ] as const) {
    if (rest >= size && parts.length < 2) {
      parts.push(`${Math.floor(rest / size)}${unit}`);
      rest %= size;
    }
  }
  return parts.length === 0 ? '0s' : parts.join(' ');
}
