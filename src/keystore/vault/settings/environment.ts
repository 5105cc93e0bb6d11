import { KeyturnError } from '../../../core/errors.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** A value with where it came from: `configuration`, a variable's name, a file, or `default`. */
export interface Sourced<T> {
  readonly value: T;
  readonly source: string;
}

/**
 * A variable by the name behind its prefix. As OpenBao's own client does, `BAO_X` is asked before `VAULT_X`, and an
 * empty `BAO_X` hides `VAULT_X`. Null when unset, or set to nothing.
 */
export function variable(environment: Environment, name: string): Sourced<string> | null {
  for (const prefix of ['BAO_', 'VAULT_']) {
    const value = environment[`${prefix}${name}`];
    if (value !== undefined) return value === '' ? null : { value, source: `${prefix}${name}` };
  }
  return null;
}

/** What configuration says, else the variable, else null. */
export function configuredOr(
  configured: string | undefined,
  environment: Environment,
  name: string,
): Sourced<string> | null {
  return configured === undefined ? variable(environment, name) : { value: configured, source: 'configuration' };
}

/** A timer of Node that is set to more than 2^31 ms ends at once. */
const LONGEST_MS = 86_400_000;

const UNITS: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };

/**
 * `60s`, `1m30s`, `1.5m` or `500ms`, or bare seconds, in milliseconds: what Go's clients read. 0, which is no time-out
 * at all for them, is refused: whoever asks Keyturn for a key would wait for ever.
 * @throws KeyturnError `config_invalid`.
 */
export function goDuration({ value, source }: Sourced<string>): number {
  const text = /^[0-9]{1,6}$/.test(value) ? `${value}s` : value;
  if (!/^(?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:ms|[dhms]))+$/.test(text)) throw invalid(source, 'a duration such as 60s');
  const parts = text.matchAll(/([0-9.]+)(ms|[dhms])/g);
  const total = [...parts].reduce((sum, [, number, unit]) => sum + Number(number) * (UNITS[unit ?? ''] ?? 0), 0);
  if (total >= 1) return Math.min(Math.round(total), LONGEST_MS);
  throw invalid(source, 'a duration above 0, such as 60s');
}

/** @throws KeyturnError `config_invalid`. */
export function wholeNumber({ value, source }: Sourced<string>): number {
  if (!/^[0-9]{1,3}$/.test(value)) throw invalid(source, 'a whole number');
  return Number(value);
}

/** What Go's strconv.ParseBool takes. @throws KeyturnError `config_invalid`. */
export function truth({ value, source }: Sourced<string>): boolean {
  if (/^(?:1|t|true)$/i.test(value)) return true;
  if (/^(?:0|f|false)$/i.test(value)) return false;
  throw invalid(source, 'true or false');
}

function invalid(source: string, wanted: string): KeyturnError {
  return new KeyturnError('config_invalid', `${source} is not ${wanted}.`, { fix: `Set ${source} to ${wanted}.` });
}
