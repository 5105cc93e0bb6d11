import { open } from 'node:fs/promises';
import { KeyturnError } from '../core/errors.ts';
import { SecretBytes } from '../core/secret-bytes.ts';
import { keyFile } from '../keystore/file/master/key-file.ts';
import { passphrase } from '../keystore/file/master/passphrase.ts';
import type { MasterKeySource } from '../keystore/file/master/source.ts';
import { systemdCredential } from '../keystore/file/master/systemd-credential.ts';
import type { MasterKeySetting } from './config.ts';

/** Asks a person for a secret; the octets are the caller's to dispose of. */
export type AskSecret = (question: string) => Promise<SecretBytes>;

/** For processes without a terminal. */
export const cannotAsk: AskSecret = (question) => {
  throw new KeyturnError('config_invalid', `${question}: there is no terminal to ask at.`, {
    fix: 'Configure a master key file or a systemd credential for unattended starts.',
  });
};

/** The source that the configuration names. Nothing is read yet. */
export function masterKeySource(setting: MasterKeySetting, ask: AskSecret): MasterKeySource {
  if ('file' in setting) return keyFile(setting.file);
  if ('systemd-credential' in setting) return systemdCredential(setting['systemd-credential']);
  if ('passphrase-file' in setting) return passphrase(() => readSecretFile(setting['passphrase-file']));
  return passphrase(() => ask('Passphrase of the key store'));
}

/**
 * A secret in a file of the caller's: its octets, without one line end at the end. At most 8 KiB.
 * @throws KeyturnError `invalid_input`.
 */
export async function readSecretFile(path: string): Promise<SecretBytes> {
  const buffer = Buffer.alloc(8_193);
  try {
    await using file = await open(path, 'r');
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    if (bytesRead > 8_192) throw new KeyturnError('invalid_input', `${path} is larger than a secret may be (8 KiB).`);
    return SecretBytes.copyOf(buffer.subarray(0, lengthWithoutLineEnd(buffer, bytesRead)));
  } catch (error) {
    if (error instanceof KeyturnError) throw error;
    throw new KeyturnError('invalid_input', `The secret file ${path} can't be read.`, {
      fix: 'Check the path and its mode.',
    });
  } finally {
    buffer.fill(0);
  }
}

function lengthWithoutLineEnd(buffer: Buffer, length: number): number {
  if (length > 0 && buffer[length - 1] === 0x0a) length -= 1;
  if (length > 0 && buffer[length - 1] === 0x0d) length -= 1;
  return length;
}
