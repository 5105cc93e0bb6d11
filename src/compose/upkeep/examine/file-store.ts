import { lstat } from 'node:fs/promises';
import { attention, broken, type Check, ok, untilBroken } from '../../../core/check.ts';
import { lockHolder } from '../../../keystore/file/disk/lock-holder.ts';
import { verifyFileStore } from '../../../keystore/file/verify.ts';
import { cannotAsk, masterKeySource } from '../../master-key.ts';
import type { MasterKey } from '../../settings/master-key.ts';
import { examinePlace } from './private-place.ts';

/**
 * An encrypted file: its modes, what opens it, its lock, and whether the one opens the other. Takes no lock, so also
 * while a server has it open.
 */
export function examineFileStore(path: string, master: MasterKey): Promise<Check[]> {
  return untilBroken([
    [
      'file',
      async () => [
        await examinePlace('file', path),
        ...(await examineLock(`${path}.lock`)),
        ...(await examineMasterKey(master)),
      ],
    ],
    ['master key', () => examineUnwrapping(master)],
    ['content', () => examineContent(path, master)],
  ]);
}

async function examineMasterKey(master: MasterKey): Promise<readonly Check[]> {
  if ('file' in master) return [await examinePlace('master key', master.file)];
  if ('vault-transit' in master) return [await examinePlace('master key', master['vault-transit'].wrappedFile)];
  if ('aws-kms' in master) return [await examinePlace('master key', master['aws-kms'].wrappedFile)];
  if ('passphrase-file' in master) return [await passphraseFile(master['passphrase-file'])];
  return [];
}

/** The clients of Vault and AWS are loaded when they are used. */
async function examineUnwrapping(master: MasterKey): Promise<readonly Check[]> {
  if ('vault-transit' in master) {
    const { examineTransit } = await import('../../../keystore/vault/examine/examine.ts');
    return ofMasterKey(await examineTransit(master['vault-transit']));
  }
  if (!('aws-kms' in master)) return [];
  const { examineKms } = await import('../../../keystore/aws/examine/examine.ts');
  return ofMasterKey(await examineKms(master['aws-kms']));
}

function ofMasterKey(checks: readonly Check[]): Check[] {
  return checks.map((check) => ({ ...check, name: `master key ${check.name}` }));
}

/** The platform may make its folder readable for others, and often the file as well. */
async function passphraseFile(path: string): Promise<Check> {
  try {
    const { mode } = await lstat(path);
    if ((mode & 0o077) === 0) return ok('master key', path);
    return attention('master key', `the passphrase in ${path} is open to others`, `chmod 600 ${path}`);
  } catch {
    return broken('master key', `${path} can't be read`, 'Put the passphrase there, or correct passphrase-file.');
  }
}

async function examineContent(path: string, master: MasterKey): Promise<Check[]> {
  if ('passphrase' in master) return [ok('content', 'its passphrase is asked for at the start; not tried')];
  if ('systemd-credential' in master && process.env['CREDENTIALS_DIRECTORY'] === undefined) {
    return [ok('content', 'its master key is there only inside the systemd unit; not tried')];
  }
  const { records, generation } = await verifyFileStore({ path, master: masterKeySource(master, cannotAsk) });
  return [ok('content', `${records} records, generation ${generation}: all authentic under the master key`)];
}

/** The lock file is empty, and stays. */
async function examineLock(path: string): Promise<Check[]> {
  try {
    const { size } = await lstat(path);
    if (size > 0) return [broken('lock', `${path} is not a lock: it is not empty`, `When no Keyturn runs: rm ${path}`)];
    const holder = await lockHolder(path);
    return [ok('lock', holder === null ? 'nobody has the file open' : `open in process ${holder}`)];
  } catch {
    return [ok('lock', 'never opened')];
  }
}
