import { brokenBy, type Check, ok, untilBroken } from '../../../core/check.ts';
import { KeyStore } from '../../../keystore/keystore.ts';
import { tryRecord } from '../../../keystore/probe-record.ts';
import { keyStoreAdapters } from '../../../keystore/registry.ts';
import type { Config } from '../../config.ts';
import { exists } from '../../exists.ts';
import type { StoreSetting } from '../../settings/stores.ts';
import { examineFileStore } from './file-store.ts';

export interface Examination {
  /** Writes, reads and destroys a record of its own in each store elsewhere. */
  readonly writeTest: boolean;
}

/** Every key store that the configuration names, the instance's own first, as this process and this host see it. */
export async function examineStores(config: Config, examination: Examination): Promise<Check[]> {
  const own = examineFileStore(config.keystore, config.masterKey).then((checks) => renamed('key store', checks));
  const further = config.stores.map(async (setting) =>
    renamed(`store ${setting.name}`, await examineStore(setting, examination).catch(unexpected)),
  );
  return (await Promise.all([own, ...further])).flat();
}

function renamed(store: string, checks: readonly Check[]): Check[] {
  return checks.map((check) => ({ ...check, name: `${store} ${check.name}` }));
}

function unexpected(error: unknown): Check[] {
  return [brokenBy('examination', error)];
}

async function examineStore(setting: StoreSetting, { writeTest }: Examination): Promise<Check[]> {
  if (setting.kind === 'file') {
    if (await exists(setting.path)) return examineFileStore(setting.path, setting.masterKey);
    return [ok('file', `${setting.path} is made at the server’s next start`)];
  }
  return untilBroken([
    ['examination', () => examineElsewhere(setting)],
    ['write test', async () => (writeTest ? writeTestOf(setting) : [])],
  ]);
}

type Elsewhere = Exclude<StoreSetting, { kind: 'file' }>;

/** The clients of Vault and AWS are loaded when they are used. */
async function examineElsewhere(setting: Elsewhere): Promise<Check[]> {
  if (setting.kind === 'vault') {
    return (await import('../../../keystore/vault/examine/examine.ts')).examineVault(setting.options);
  }
  return (await import('../../../keystore/aws/examine/examine.ts')).examineAws(setting.options);
}

async function writeTestOf(setting: Elsewhere): Promise<Check[]> {
  if (
    setting.kind === 'vault' &&
    setting.options.login?.method === 'approle' &&
    setting.options.login.wrapped === true
  ) {
    return [ok('write test', 'not made: logging in would open the wrapped secret ID, which the server needs')];
  }
  const driver =
    setting.kind === 'vault'
      ? await keyStoreAdapters.vault(setting.options)
      : await keyStoreAdapters.aws(setting.options);
  const store = new KeyStore(setting.name, driver);
  try {
    return await tryRecord(store);
  } finally {
    await store.close();
  }
}
