import { readFile, stat } from 'node:fs/promises';
import { types } from 'node:util';
import { crc32 } from 'node:zlib';
import { isError, KeyturnError } from '../core/errors.ts';

/**
 * Gives the API token's octets anew for every request, so that a rotated file is picked up. The receiver owns the
 * Buffer and wipes it.
 */
export type TokenSource = () => Promise<Buffer>;

/** How an application hands in its token: the path of a file, or a function that gives a fresh Buffer each time. */
export type TokenOption = string | (() => Buffer | Promise<Buffer>);

const MAX_OCTETS = 8_192;
/** What Keyturn's own tokens begin with (docs/formats/api-token.md). */
const OWN = 'ktn_';
const GROUP_OR_OTHERS = 0o077;

/** A file may end in line ends; nothing else is cut off. */
export function tokenSource(token: TokenOption): TokenSource {
  if (typeof token === 'string') return async () => checked(trimmed(await readToken(token)));
  return async () => checked(trimmed(await givenBy(token)));
}

/**
 * Why the token file is readable by more people than it should be; null when it is not, or where modes mean nothing.
 */
export async function tokenFileWarning(token: TokenOption): Promise<string | null> {
  if (typeof token !== 'string' || process.platform === 'win32') return null;
  const mode = await stat(token).then(
    (found) => found.mode & 0o777,
    () => 0,
  );
  if ((mode & GROUP_OR_OTHERS) === 0) return null;
  return `The token file ${token} has mode ${mode.toString(8)}: others than its owner can read or change it. Run chmod 600 on it.`;
}

async function readToken(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const reason = isError(error) && 'code' in error ? String(error.code) : 'unknown';
    throw invalid(`The token file ${path} can't be read (${reason}).`);
  }
}

async function givenBy(token: Exclude<TokenOption, string>): Promise<Buffer> {
  let given: unknown;
  try {
    given = await token();
  } catch (cause) {
    throw new KeyturnError('connection_file_invalid', 'The function that gives the token failed.', {
      fix: 'See the cause: it is what the function was rejected with.',
      cause,
    });
  }
  if (types.isUint8Array(given)) return Buffer.from(given.buffer, given.byteOffset, given.length);
  throw new KeyturnError('connection_file_invalid', 'The function that gives the token gave no Buffer.', {
    fix: 'Give a fresh one each time, such as Buffer.from(text): it is wiped after use.',
  });
}

function trimmed(octets: Buffer): Buffer {
  let end = octets.length;
  while (end > 0 && (octets[end - 1] === 0x0a || octets[end - 1] === 0x0d)) end -= 1;
  return octets.subarray(0, end);
}

/** RFC 6750 section 2.1: visible ASCII. Anything else could not travel in a header, or would split it. */
function checked(octets: Buffer): Buffer {
  const visible = octets.every((octet) => octet > 0x20 && octet < 0x7f);
  if (octets.length === 0 || octets.length > MAX_OCTETS || !visible) {
    throw invalid('The token is empty, too long, or holds characters that no token has.');
  }
  if (isWhole(octets)) return octets;
  throw invalid('The token is not whole: its checksum is another. It may be written just now.');
}

/**
 * False for a token of Keyturn's own that was cut or changed: a server would call it unauthenticated, which ends the lease.
 * Its last nine characters are an underscore and the CRC-32 of what stands before; others have no such form.
 */
function isWhole(octets: Buffer): boolean {
  if (octets.toString('latin1', 0, OWN.length) !== OWN.slice(0, octets.length)) return true;
  const end = octets.length - 9;
  const sum = end < 0 ? '' : crc32(octets.subarray(0, end)).toString(16).padStart(8, '0');
  return octets.toString('latin1', Math.max(0, end)) === `_${sum}`;
}

function invalid(message: string): KeyturnError {
  return new KeyturnError('connection_file_invalid', message, {
    fix: 'Put the token that `keyturn token create` showed into the file, and nothing else.',
  });
}
