import { rejected } from './rejected.ts';

const MAX_NAME_BYTES = 255;

/**
 * The name of an entry, for messages alone: no path is ever made of it. Still every name is refused that means mischief
 * to a program that would extract the archive, since a partner's zip never holds one.
 * @throws KeyturnError `archive_rejected`
 */
export function entryName(raw: Buffer): string {
  if (raw.length === 0 || raw.length > MAX_NAME_BYTES) throw rejected('an entry has no name or a very long one');
  const name = decoded(raw);
  if (/\p{Cc}/u.test(name)) throw rejected('a name holds NUL or another control character');
  if (name.includes('\\')) throw rejected('a name holds a backslash');
  if (name.startsWith('/') || /^[a-z]:/i.test(name)) throw rejected('a name is an absolute path');
  const segments = name.replace(/\/$/, '').split('/');
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    throw rejected('a name holds "..", "." or an empty folder name');
  }
  return name;
}

/** Equal for names that some file system takes for the same: Unicode forms, case, the slash of a folder. */
export function collisionKey(name: string): string {
  return name.replace(/\/$/, '').normalize('NFKC').toLowerCase().normalize('NFKC');
}

/** What macOS adds to every archive. */
export function isResourceFile(name: string): boolean {
  return name.startsWith('__MACOSX/') || name.endsWith('/.DS_Store') || name === '.DS_Store';
}

/** UTF-8 where it is well-formed (many writers forget to say so), else one character an octet. */
function decoded(raw: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(raw);
  } catch {
    return raw.toString('latin1');
  }
}
