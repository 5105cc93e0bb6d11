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

/**
 * `60s`, `1m30s` or `500ms`, or bare seconds, in milliseconds: what Go's clients read.
 * @throws KeyturnError `config_invalid`.
 */
export function goDuration({ value, source }: Sourced<string>): number {
  const seconds = /^[0-9]{1,6}$/.test(value) ? Number(value) : null;
  if (seconds !== null) return seconds * 1000;
  const parts =
    /^(?:([0-9]{1,4})h)?(?:([0-9]{1,5})m(?!s))?(?:([0-9]{1,6}(?:\.[0-9]{1,3})?)s)?(?:([0-9]{1,9})ms)?$/.exec(value);
  if (parts === null || value === '') throw invalid(source, 'a duration such as 60s');
  const [h, m, s, ms] = parts.slice(1).map((part) => Number(part ?? 0));
  return ((h ?? 0) * 3600 + (m ?? 0) * 60 + (s ?? 0)) * 1000 + (ms ?? 0);
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
