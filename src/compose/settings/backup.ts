import { z } from 'zod';
import { parseRecipient } from '../../backup/recipient.ts';

/** Recipients of backups, as `keyturn backup keygen` prints them. */
export const recipients = z.array(
  z
    .string()
    .refine(isRecipient, { error: 'is no recipient of backups: copy the line that keyturn backup keygen printed' }),
);

function isRecipient(text: string): boolean {
  try {
    parseRecipient(text);
    return true;
  } catch {
    return false;
  }
}
