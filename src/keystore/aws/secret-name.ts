import { createHash } from 'node:crypto';
import { KeyturnError } from '../../core/errors.ts';
import { type RecordName, recordName } from '../record-name.ts';

/**
 * Folder of the account's secrets that is Keyturn's alone. Characters as Secrets Manager allows them in a name, and
 * short enough that prefix and record fit into its 512 (API reference, CreateSecret).
 * @throws KeyturnError `config_invalid`.
 */
export function secretPrefix(text: string): string {
  if (/^[A-Za-z0-9_+=.@-]+(?:\/[A-Za-z0-9_+=.@-]+)*$/.test(text) && text.length <= 200) return text;
  throw new KeyturnError('config_invalid', 'That is not a prefix for secrets of AWS.', {
    fix: 'Use letters, digits and _+=.@- in parts divided by single slashes, at most 200 characters.',
  });
}

export function secretName(prefix: string, record: RecordName): string {
  return `${prefix}/${recordName(record)}`;
}

/** Null for what is not a record of ours: other prefixes, and names that Keyturn does not write. */
export function recordOf(prefix: string, name: string): RecordName | null {
  if (!name.startsWith(`${prefix}/`)) return null;
  try {
    return recordName(name.slice(prefix.length + 1));
  } catch {
    return null;
  }
}

/**
 * ClientRequestToken of the one write that a secret ever sees, which becomes its VersionId (32 to 64 characters). It
 * follows from the name alone: so it reveals nothing of the octets, a repeated write is the same write, one with other
 * octets is refused by AWS, and every reader knows which version is ours.
 */
export function versionId(name: string): string {
  return createHash('sha256').update(`keyturn secret version\0${name}`).digest('hex');
}
