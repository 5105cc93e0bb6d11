/** Why a file or folder can't be used, by the system's code. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'you may not',
  EPERM: 'you may not',
  ENOTDIR: 'a part of its path is no folder',
  EROFS: 'the disk is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk is full',
  EEXIST: 'something else is there',
};

/** In brackets, with a space before it; nothing where the error doesn't tell. */
export function whyFile(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return code === '' ? '' : ` (${REASONS[code] ?? code})`;
}

/** Which file or folder the system refused, and why, for people: `/srv/x (the disk is full)`. Null for any other error. */
export function refusedFile(error: unknown): string | null {
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) return null;
  const { path } = error as NodeJS.ErrnoException;
  if (path !== undefined) return `${path}${whyFile(error)}`;
  // Of a file that is open already the system doesn't say which.
  return error.code === 'ENOSPC' || error.code === 'EDQUOT' ? `a file${whyFile(error)}` : null;
}
