import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyStoreDriver } from '../../src/keystore/driver.ts';
import { createFileStore } from '../../src/keystore/file/file-store.ts';
import { generateKeyFile } from '../../src/keystore/file/master/generate.ts';
import { type KeyStoreKind, keyStoreAdapters } from '../../src/keystore/registry.ts';
import type { KeyStoreHarness, KeyStorePlace } from './keystore.ts';
import { awsHarness } from './keystore-aws.ts';
import { vaultHarness } from './keystore-vault.ts';

async function makeFilePlace(): Promise<KeyStorePlace> {
  const [folder, keys] = [mkdtempSync(join(tmpdir(), 'keyturn-file-')), mkdtempSync(join(tmpdir(), 'keyturn-key-'))];
  const path = join(folder, 'keys.ktn');
  const master = await generateKeyFile(join(keys, 'master.key'), path);
  await (await createFileStore({ path, master })).close();
  let driver: KeyStoreDriver = await keyStoreAdapters.file({ path, master });
  return {
    driver,
    reopen: async () => {
      await driver.close();
      driver = await keyStoreAdapters.file({ path, master });
      return driver;
    },
    remove: async () => {
      await driver.close();
      for (const each of [folder, keys]) rmSync(each, { recursive: true });
    },
  };
}

/** One a kind that the registry knows: a new adapter does not compile, and fails the suite, until it has its own. */
export const keyStoreHarnesses: Readonly<Record<KeyStoreKind, KeyStoreHarness>> = {
  aws: awsHarness,
  file: { makePlace: makeFilePlace, exceptions: {} },
  vault: vaultHarness,
};
