import { KeyturnError } from '../../core/errors.ts';

/** The refusal of an archive, naming what was found in it. */
export function rejected(found: string): KeyturnError {
  return new KeyturnError('archive_rejected', `The zip file was refused: ${found}.`, {
    fix: 'Download the zip from the partner again and upload it unchanged, or upload the PEM files themselves.',
  });
}
