import { readFile, stat } from 'node:fs/promises';
import { KeyturnError } from '../../core/errors.ts';

/**
 * The token in a file of the caller's alone; line ends at its end are dropped. The caller wipes it.
 * @throws KeyturnError `unauthenticated`: no file, open to others, or nothing in it that could be a token.
 */
export async function readTokenFile(path: string): Promise<Buffer> {
  const bytes = await readOwn(path);
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1] === 0x0a || bytes[end - 1] === 0x0d)) end -= 1;
  const token = bytes.subarray(0, end);
  // RFC 6750 section 2.1: visible ASCII. Anything else could not travel in a header.
  if (end > 0 && end <= 8_192 && token.every((octet) => octet > 0x20 && octet < 0x7f)) return token;
  bytes.fill(0);
  throw new KeyturnError('unauthenticated', `The file ${path} does not hold a token and nothing else.`, {
    fix: 'Put the token file back as "keyturn token create" wrote it.',
  });
}

async function readOwn(path: string): Promise<Buffer> {
  try {
    const { mode } = await stat(path);
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) throw openToOthers(path, mode);
    return await readFile(path);
  } catch (error) {
    if (error instanceof KeyturnError) throw error;
    throw new KeyturnError('unauthenticated', `The token file ${path} can't be read.`, {
      fix: 'Name one with --token-file, or have a token made: keyturn token create.',
    });
  }
}

function openToOthers(path: string, mode: number): KeyturnError {
  const shown = (mode & 0o777).toString(8);
  return new KeyturnError('unauthenticated', `The token file ${path} is open to others (mode ${shown}).`, {
    fix: `Run chmod 600 ${path}; if others may have read it, have the token revoked.`,
  });
}
