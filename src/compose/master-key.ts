import { KeyturnError } from '../core/errors.ts';
import { readAtMost } from '../core/io/read-at-most.ts';
import { SecretBytes } from '../core/secret-bytes.ts';
import { generateKeyFile } from '../keystore/file/master/generate.ts';
import { keyFile } from '../keystore/file/master/key-file.ts';
import { passphrase } from '../keystore/file/master/passphrase.ts';
import type { MasterKeySource } from '../keystore/file/master/source.ts';
import { systemdCredential } from '../keystore/file/master/systemd-credential.ts';
import { exists } from './exists.ts';
import { fileOfMasterKey, type MasterKey, placeOfMasterKey } from './settings/master-key.ts';

const MAX_SECRET = 8_192;

/** Asks a person for a secret; the octets are the caller's to dispose of. */
export type AskSecret = (question: string) => Promise<SecretBytes>;

/** For processes without a terminal. */
export const cannotAsk: AskSecret = (question) => {
  throw new KeyturnError('config_invalid', `${question}: there is no terminal to ask at.`, {
    fix: 'Configure a master key file or a systemd credential for unattended starts.',
  });
};

/** The source that the configuration names. Nothing is read yet. */
export function masterKeySource(key: MasterKey, ask: AskSecret): MasterKeySource {
  if ('file' in key) return keyFile(key.file);
  if ('systemd-credential' in key) return systemdCredential(key['systemd-credential']);
  if ('passphrase-file' in key) return passphrase(() => readSecretFile(key['passphrase-file']));
  if ('vault-transit' in key || 'aws-kms' in key) {
    const description = placeOfMasterKey(key);
    return { kind: 'key', description, read: () => readWrapped(key) };
  }
  return passphrase(() => ask('Passphrase of the key store'));
}

type Wrapped = Extract<MasterKey, { 'vault-transit': unknown } | { 'aws-kms': unknown }>;

/** The clients of Vault and AWS are loaded when they are used. */
async function readWrapped(key: Wrapped): Promise<SecretBytes> {
  const source =
    'vault-transit' in key
      ? (await import('../keystore/vault/transit.ts')).transitMasterKey(key['vault-transit'])
      : (await import('../keystore/aws/kms.ts')).kmsMasterKey(key['aws-kms']);
  try {
    return await source.read();
  } catch (error) {
    if (!(error instanceof KeyturnError)) throw error;
    const { code, message, fix = 'Run keyturn doctor: it tells more.', facts } = error;
    throw new KeyturnError(code, `The master key in ${source.description}, can't be had: ${message}`, { fix, facts });
  }
}

/**
 * Makes the master key that the configuration names where there is none yet: a key file, or one that Vault or AWS KMS
 * has wrapped. What a person or systemd gives is theirs to make. Answers with the file that was made, if any.
 * @param storePath where the key store lies or will lie.
 * @throws KeyturnError `keystore_insecure`, `keystore_unavailable`, `config_invalid`.
 */
export async function makeMasterKey(key: MasterKey, storePath: string): Promise<string | null> {
  const path = fileOfMasterKey(key);
  if (path === null || (await exists(path))) return null;
  if ('vault-transit' in key) {
    await (await import('../keystore/vault/transit.ts')).generateTransitMasterKey(key['vault-transit']);
  } else if ('aws-kms' in key) {
    await (await import('../keystore/aws/kms.ts')).generateKmsMasterKey(key['aws-kms']);
  } else {
    await generateKeyFile(path, storePath);
  }
  return path;
}

/**
 * A secret in a file of the caller's: its octets, without one line end at the end. At most 8 KiB.
 * @throws KeyturnError `invalid_input`.
 */
export async function readSecretFile(path: string): Promise<SecretBytes> {
  const octets = await readAtMost(path, MAX_SECRET).catch(() => {
    throw new KeyturnError('invalid_input', `The secret file ${path} can't be read.`, {
      fix: 'Check the path and its mode.',
    });
  });
  if (octets === null) throw new KeyturnError('invalid_input', `${path} is larger than a secret may be (8 KiB).`);
  try {
    return SecretBytes.copyOf(octets.subarray(0, lengthWithoutLineEnd(octets)));
  } finally {
    octets.fill(0);
  }
}

function lengthWithoutLineEnd(octets: Buffer): number {
  let { length } = octets;
  if (length > 0 && octets[length - 1] === 0x0a) length -= 1;
  if (length > 0 && octets[length - 1] === 0x0d) length -= 1;
  return length;
}
