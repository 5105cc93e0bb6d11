import { open, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseDocument } from 'yaml';
import { FileStore } from '../../keystore/file/driver.ts';
import { CONFIG_FILE, type Config } from '../config.ts';
import { type AskSecret, makeMasterKey, masterKeySource } from '../master-key.ts';
import { openInstance } from '../open.ts';
import { type MasterKeySetting, parseMasterKey } from '../settings/master-key.ts';
import { absoluteFrom } from '../settings/path.ts';
import { OWN_STORE } from '../settings/stores.ts';

/**
 * Locks the key store of a stopped instance with a new master key: rewrap, ledger entry, configuration. Interrupted
 * after the rewrap the configuration still names the old key; it is then set by hand to the new one.
 * @throws KeyturnError `keystore_in_use` while a server has the store open.
 */
export async function rotateMasterKey(
  config: Config,
  next: MasterKeySetting,
  ask: { readonly current: AskSecret; readonly next: AskSecret },
): Promise<{ readonly generation: number }> {
  const key = parseMasterKey(next, `${config.origin}/${OWN_STORE}`, absoluteFrom(config.home));
  await makeMasterKey(key, config.keystore);
  const instance = await openInstance(config, { ask: ask.current });
  try {
    const { driver } = instance.store;
    if (!(driver instanceof FileStore)) throw new TypeError('The default store is not a file.');
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
    await writeSetting(join(config.home, CONFIG_FILE), next);
    return { generation };
  } finally {
    await instance.close();
  }
}

/** Changes the one member and keeps the operator's comments. */
async function writeSetting(path: string, next: MasterKeySetting): Promise<void> {
  const document = parseDocument(await readFile(path, 'utf8'));
  document.setIn(['keystore', 'master-key'], next);
  const made = `${path}.new`;
  {
    await using file = await open(made, 'w', 0o600);
    await file.writeFile(document.toString());
    await file.sync();
  }
  await rename(made, path);
  await using folder = await open(dirname(path), 'r');
  await folder.sync();
}
