import { readFile, stat } from 'node:fs/promises';
import { KeyturnError } from '../core/errors.ts';

/** Others on this host: neither read nor write. */
const OTHERS = 0o007;

/**
 * The first line of a file that holds one secret. Read when it is needed, so that another one can be put there.
 * @throws KeyturnError `config_invalid`, naming the file.
 */
export async function readSecretFile(file: string, least: number): Promise<Buffer> {
  const refuse = (what: string, fix: string) => new KeyturnError('config_invalid', `${file} ${what}.`, { fix });
  let bytes: Buffer;
  try {
    const { mode } = await stat(file);
    if ((mode & OTHERS) !== 0) throw refuse('can be read by everybody on this host', `chmod 600 ${file}`);
    bytes = await readFile(file);
  } catch (error) {
    if (error instanceof KeyturnError) throw error;
    throw refuse('can not be read', 'Put the secret there, readable by the server alone.');
  }
  const end = bytes.findIndex((byte) => byte === 0x0a || byte === 0x0d);
  const secret = end === -1 ? bytes : bytes.subarray(0, end);
  if (secret.length < least) throw refuse(`holds fewer than ${least} octets`, 'Put a longer secret there.');
  return secret;
}
