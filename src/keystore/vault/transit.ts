import { randomFillSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { KeyturnError } from '../../core/errors.ts';
import { SecretBytes } from '../../core/secret-bytes.ts';
import { errno } from '../file/disk/owner-only.ts';
import { decodeBase64, encodeBase64 } from '../file/master/base64-octets.ts';
import { MASTER_KEY_OCTETS, type MasterKeySource } from '../file/master/source.ts';
import { writeWrappedKey } from '../file/master/wrapped-file.ts';
import type { VaultAnswer } from './client/answer.ts';
import { answerObject, objectAt, textAt } from './client/answer.ts';
import { reasonOf, vaultError } from './client/reason.ts';
import { connectVault, type VaultLink } from './connect.ts';
import type { VaultConnection } from './options.ts';

export interface TransitKey extends VaultConnection {
  /** Of the transit secrets engine. Default: `transit`. */
  readonly mount?: string;
  /** Name of the key in it: exportable or not, of any type that encrypts. */
  readonly key: string;
}

export interface TransitMasterKeyOptions extends TransitKey {
  /** File that holds what {@link wrapWithTransit} gave: no secret without Vault. */
  readonly wrappedFile: string;
}

const CIPHERTEXT = /^vault:v[0-9]{1,9}:[A-Za-z0-9+/]+={0,2}$/;
const PLAINTEXT = Buffer.from('"plaintext":"');

/**
 * The master key of a key store file, wrapped by a key that never leaves Vault. Vault is asked at open, and never for
 * a lease: once open, the file serves while Vault is down.
 * @throws KeyturnError from `read`: `keystore_unavailable`, `master_key_wrong`, `not_found`, `config_invalid`.
 */
export function transitMasterKey(options: TransitMasterKeyOptions): MasterKeySource {
  const path = keyPath(options, 'decrypt');
  return {
    kind: 'key',
    description: `${options.wrappedFile}, wrapped by Vault ${path.replace('/decrypt/', '/keys/')}`,
    read: () =>
      linked(options, path, async ({ client }) => {
        const ciphertext = await wrappedIn(options.wrappedFile);
        const answer = await client.ask({ method: 'POST', path, body: { ciphertext }, repeatable: true });
        return unwrapped(answer, options.wrappedFile, path.replace('/decrypt/', '/keys/'));
      }),
  };
}

/**
 * Makes a master key, has Vault wrap it, and keeps the wrapped form in a new file, durable when it resolves.
 * @throws KeyturnError `conflict` when the file exists, `keystore_insecure` for a folder that others can enter,
 *   `keystore_unavailable`, `config_invalid`.
 */
export async function generateTransitMasterKey(options: TransitMasterKeyOptions): Promise<MasterKeySource> {
  using master = SecretBytes.own(randomFillSync(Buffer.allocUnsafeSlow(MASTER_KEY_OCTETS)));
  await writeWrappedKey(options.wrappedFile, async () => Buffer.from(`${await wrapWithTransit(options, master)}\n`));
  return transitMasterKey(options);
}

/**
 * The wrapped form of a master key, one line of ASCII. The caller keeps and wipes `master`.
 * @throws KeyturnError `keystore_unavailable`, `config_invalid`.
 */
export function wrapWithTransit(options: TransitKey, master: SecretBytes): Promise<string> {
  const path = keyPath(options, 'encrypt');
  return linked(options, path, async ({ client }) => {
    const value = encodeBase64(master.bytes);
    const body = Buffer.concat([Buffer.from('{"plaintext":"'), value, Buffer.from('"}')]);
    try {
      const answer = await client.ask({ method: 'POST', path, body, repeatable: true });
      const wrapped = textAt(objectAt(answerObject(answer.octets), 'data'), 'ciphertext') ?? '';
      if (answer.status === 200 && CIPHERTEXT.test(wrapped)) return wrapped;
      throw vaultError('bad_request', `Vault did not wrap anything with ${path}.`, {
        fix: 'Check the name of the key.',
      });
    } finally {
      body.fill(0);
      value.fill(0);
    }
  });
}

function keyPath({ mount = 'transit', key }: TransitKey, verb: 'encrypt' | 'decrypt'): string {
  const path = `${mount}/${verb}/${key}`;
  if (/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(key) && /^[A-Za-z0-9][A-Za-z0-9._/-]*[A-Za-z0-9]$/.test(mount)) return path;
  throw new KeyturnError('config_invalid', 'That is not a key of the transit engine.', { fix: 'Name mount and key.' });
}

/** @param path the one that the token must be allowed to update. */
async function linked<T>(options: VaultConnection, path: string, call: (link: VaultLink) => Promise<T>): Promise<T> {
  const link = connectVault(options);
  try {
    return await call(link);
  } catch (error) {
    if (reasonOf(error) !== 'forbidden') throw error;
    throw vaultError('forbidden', `Vault denied ${path} to the ${link.login}.`, {
      status: 403,
      path,
      fix: `Renew the token, or add to its policy: path "${path}" { capabilities = ["update"] }`,
    });
  } finally {
    link.close();
  }
}

async function wrappedIn(path: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const code = errno(error);
    throw new KeyturnError(
      code === 'ENOENT' ? 'not_found' : 'keystore_unavailable',
      `${path} can't be read (${code}).`,
      {
        fix: 'Check the path, or wrap the master key anew.',
      },
    );
  }
  const line = text.replace(/\r?\n$/, '');
  if (line.length <= 4096 && CIPHERTEXT.test(line)) return line;
  throw new KeyturnError('master_key_wrong', `${path} does not hold a key that Vault has wrapped.`, {
    fix: 'It holds one line that begins with vault:v.',
  });
}

/** Taken out of the answer as octets, so that no string ever holds the key. Wipes the answer. */
function unwrapped({ octets, status }: VaultAnswer, file: string, place: string): SecretBytes {
  try {
    const from = octets.indexOf(PLAINTEXT) + PLAINTEXT.length;
    const to = octets.indexOf('"', from);
    const found = status === 200 && from >= PLAINTEXT.length && to > from;
    const key = found ? decodeBase64(octets.subarray(from, to)) : null;
    if (key?.length === MASTER_KEY_OCTETS) return SecretBytes.own(key);
    key?.fill(0);
    throw new KeyturnError('master_key_wrong', `Vault's key does not open ${file}.`, {
      fix: `Check the name of the transit key. If its minimum was raised above the file's: bao write ${place}/config min_decryption_version=1`,
    });
  } finally {
    octets.fill(0);
  }
}
