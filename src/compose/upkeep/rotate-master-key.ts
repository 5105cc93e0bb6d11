import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { KeyturnError } from '../../core/errors.ts';
import { FileStore } from '../../keystore/file/driver.ts';
import { CONFIG_FILE, type Config } from '../config.ts';
import { exists } from '../exists.ts';
import { type AskSecret, makeMasterKey, masterKeySource } from '../master-key.ts';
import { openInstance } from '../open.ts';
import { fileOfMasterKey, type MasterKey, type MasterKeySetting, parseMasterKey } from '../settings/master-key.ts';
import { absoluteFrom } from '../settings/path.ts';
import { OWN_STORE } from '../settings/stores.ts';
import { writeSetting } from '../settings/write.ts';

/**
 * Locks the key store of a stopped instance with a new master key: rewrap, ledger entry, configuration. Interrupted
 * after the rewrap the configuration still names the old key; it is then set by hand to the new one. How Vault or AWS
 * is reached stays as keyturn.yaml has it, where the old key is wrapped there too.
 * @throws KeyturnError `keystore_in_use` while a server has the store open; `conflict` when there is a file already
 *   where the wrapped key is to rest; `keystore_unavailable` when Vault or AWS does not wrap and unwrap it.
 */
export async function rotateMasterKey(
  config: Config,
  next: MasterKeySetting,
  ask: { readonly current: AskSecret; readonly next: AskSecret },
): Promise<{ readonly generation: number }> {
  const setting = withStandingConnection(next, await readFile(join(config.home, CONFIG_FILE), 'utf8'));
  const key = parseMasterKey(setting, `${config.origin}/${OWN_STORE}`, absoluteFrom(config.home));
  await refuseStandingFile(key);
  const instance = await openInstance(config, { ask: ask.current });
  try {
    const { driver } = instance.store;
    if (!(driver instanceof FileStore)) throw new TypeError('The default store is not a file.');
    await makeMasterKey(key, config.keystore);
    await driver.rotateMasterKey(masterKeySource(key, () => ask.next('New passphrase of the key store')));
    const { generation, digest } = await driver.attest();
    await instance.desk.ledger.commit({
      writes: [{ put: 'stores', row: { store: instance.store.name, generation, digest } }],
      entry: {
        kind: 'store.master-key-rotated',
        actor: 'local:cli',
        data: { store: instance.store.name, generation, kind: Object.keys(next)[0] ?? '' },
      },
    });
    await writeSetting(join(config.home, CONFIG_FILE), ['keystore', 'master-key'], setting);
    return { generation };
  } finally {
    await instance.close();
  }
}

function withStandingConnection(next: MasterKeySetting, text: string): MasterKeySetting {
  const document = parse(text) as { keystore: { 'master-key': MasterKeySetting } };
  const standing = document.keystore['master-key'];
  if ('vault-transit' in next && 'vault-transit' in standing) {
    return { 'vault-transit': { ...standing['vault-transit'], ...next['vault-transit'] } };
  }
  if ('aws-kms' in next && 'aws-kms' in standing) return { 'aws-kms': { ...standing['aws-kms'], ...next['aws-kms'] } };
  return next;
}

/** What is wrapped already would be the old master key under its old wrapping. */
async function refuseStandingFile(key: MasterKey): Promise<void> {
  const path = 'vault-transit' in key || 'aws-kms' in key ? fileOfMasterKey(key) : null;
  if (path === null || !(await exists(path))) return;
  throw new KeyturnError('conflict', `There is already a file ${path}.`, {
    fix: 'Name a new file for the wrapped key; the old one is needed until the rotation is done.',
  });
}
