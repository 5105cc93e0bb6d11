import { KeyturnError } from '../core/errors.ts';

/** What is wrong with a backup as a file; the message never quotes it. */
export function damaged(what: string): KeyturnError {
  return new KeyturnError('backup_invalid', `The backup is refused: ${what}.`, {
    fix: 'Nothing was restored. Use another copy of it, or an older backup.',
  });
}
