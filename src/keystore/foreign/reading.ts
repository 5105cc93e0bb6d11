import { KeyturnError } from '../../core/errors.ts';
import type { ForeignSecret } from './foreign-secret.ts';

/** Optional power of a driver: it reads secrets that others put into its store, so that a key can be adopted. */
export interface ForeignReading {
  /**
   * The newest version of the secret at `path`, as its store spells paths.
   * @throws KeyturnError `not_found` when it certainly is not there; `invalid_input` for what is no path of this store,
   * or one of our own records; `keystore_unavailable`, which names path and missing right when it was denied.
   */
  readForeign(path: string): Promise<ForeignSecret>;
}

export function isForeignReading(driver: object): driver is ForeignReading {
  return 'readForeign' in driver;
}

/** As configuration names paths that may be adopted from: one path, or with `/*` at its end all below. */
const PATTERN = /^[A-Za-z0-9_+=.@:~-]+(?:\/[A-Za-z0-9_+=.@:~-]+)*(?:\/\*)?$/;

export function isPathPattern(text: string): boolean {
  return text.length <= 512 && PATTERN.test(text) && !hasDots(text) && text.includes('/');
}

/** A path of any store, in plain spelling: what another spelling of it could mean is nothing we need to know. */
export function isPlainPath(text: string): boolean {
  return isPathPattern(`x/${text}`) && !text.endsWith('*');
}

function hasDots(text: string): boolean {
  return text.split('/').some((segment) => /^\.+$/.test(segment));
}

export function matchesPattern(path: string, pattern: string): boolean {
  return pattern.endsWith('/*') ? path.startsWith(pattern.slice(0, -1)) : path === pattern;
}

export function ownRecord(path: string): KeyturnError {
  return new KeyturnError('invalid_input', `${path} is under Keyturn's own prefix: nothing is adopted from there.`, {
    fix: 'To move a key between stores: keyturn store migrate.',
  });
}
