import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { KeyStoreDriver } from '../../src/keystore/driver.ts';
import { keyStoreAdapters } from '../../src/keystore/registry.ts';
import type { VaultStoreOptions } from '../../src/keystore/vault/options.ts';
import { OpenBao } from '../fakes/openbao.ts';
import type { KeyStoreHarness, KeyStorePlace } from './keystore.ts';

const POLICY = readFileSync(fileURLToPath(new URL('../../policies/vault/keyturn.hcl', import.meta.url)), 'utf8');

let server: OpenBao | null = null;

async function start(): Promise<AsyncDisposable> {
  server = await OpenBao.start();
  return server;
}

/** A folder of its own under one mount, by a token that holds the shipped policy for that folder and nothing else. */
async function makeVaultPlace(): Promise<KeyStorePlace> {
  if (server === null) throw new Error('OpenBao was not started.');
  const prefix = `place-${randomUUID()}`;
  await server.policy(prefix, POLICY.replaceAll('/keyturn/', `/${prefix}/`));
  const options: VaultStoreOptions = {
    prefix,
    environment: {
      BAO_ADDR: server.url,
      BAO_CACERT_BYTES: server.ca.certificatePem,
      BAO_TOKEN: await server.token([prefix]),
    },
  };
  let driver: KeyStoreDriver = await keyStoreAdapters.vault(options);
  return {
    driver,
    reopen: async () => {
      await driver.close();
      driver = await keyStoreAdapters.vault(options);
      return driver;
    },
    remove: () => driver.close(),
  };
}

const CANT_ATTEST = 'KV keeps no digest of a whole folder';

export const vaultHarness: KeyStoreHarness = {
  start,
  makePlace: makeVaultPlace,
  exceptions: {
    'attests to its content, whatever the order of writing': CANT_ATTEST,
    'attests to another digest when the same names hold other or exchanged content': CANT_ATTEST,
    'counts each change in its generation, and nothing else': CANT_ATTEST,
  },
};
