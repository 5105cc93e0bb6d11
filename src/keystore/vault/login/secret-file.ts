import { readFile, stat } from 'node:fs/promises';
import { KeyturnError } from '../../../core/errors.ts';
import { errno } from '../../file/disk/owner-only.ts';

const MAX_OCTETS = 64 * 1024;

/**
 * One line out of a file that another program writes and replaces: a projected token, an agent's sink, a secret ID.
 * Its owner and mode are the platform's affair (a projected volume is world-readable in its pod).
 * @throws KeyturnError `config_invalid`, which names the path and quotes nothing.
 */
export async function readSecretLine(path: string, what: string): Promise<string> {
  const text = await read(path, what);
  const line = text.replace(/\r?\n$/, '');
  if (/^[\x21-\x7e]+$/.test(line)) return line;
  throw new KeyturnError('config_invalid', `${path} does not hold ${what}.`, {
    fix: 'It holds one line of printable characters.',
  });
}

async function read(path: string, what: string): Promise<string> {
  try {
    if ((await stat(path)).size > MAX_OCTETS)
      throw new KeyturnError('config_invalid', `${path} is too large for ${what}.`);
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof KeyturnError) throw error;
    throw new KeyturnError('config_invalid', `${path}, for ${what}, can't be read (${errno(error)}).`, {
      fix: 'Check the path and who may read it.',
    });
  }
}
