import { KeyturnError } from '../../core/errors.ts';

/** As `--version` gives it. @throws KeyturnError `invalid_input`. */
export function versionNumber(text: string): number {
  const version = Number(text);
  if (Number.isInteger(version) && version >= 1) return version;
  throw new KeyturnError('invalid_input', 'A version is a whole number from 1.', {
    fix: 'See the versions there are: keyturn credential show CREDENTIAL',
  });
}
