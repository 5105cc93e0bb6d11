import { KeyturnError } from '../../../core/errors.ts';

/** `keystore_corrupt`, for whatever an intact file written by us can't hold. `place` is the file's path. */
export function damaged(place: string, what: string): KeyturnError {
  return new KeyturnError('keystore_corrupt', `The key store ${place} is damaged or was tampered with: ${what}.`, {
    fix: 'Keep this file for inspection and restore the newest backup of the key store.',
  });
}
