import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SecretBytes } from '../../../../src/core/secret-bytes.ts';
import type { KeyStoreDriver } from '../../../../src/keystore/driver.ts';
import { keyStoreAdapters } from '../../../../src/keystore/registry.ts';
import type { VaultStoreOptions } from '../../../../src/keystore/vault/options.ts';
import type { OpenBao } from '../../../fakes/openbao.ts';
import { CANARY, STANDING, type StoreUnderFault, storeHere } from '../cell.ts';
import type { Fault } from '../table.ts';

export const POLICY = readFileSync(
  fileURLToPath(new URL('../../../../policies/vault/keyturn.hcl', import.meta.url)),
  'utf8',
);

/** A folder under Keyturn's own. */
export interface VaultPlace {
  readonly folder: string;
  /** Of the server that holds it, undisturbed and with every right. */
  clean: KeyStoreDriver;
}

/** Short patience, so that a hanging server is soon given up. */
export function hurried(server: OpenBao, token: string, address = server.url): VaultStoreOptions {
  return {
    timeoutMs: 600,
    maxRetries: 1,
    environment: { BAO_ADDR: address, BAO_CACERT_BYTES: server.ca.certificatePem, BAO_TOKEN: token },
  };
}

/** Where nothing is waited for in vain, on a busy machine too. */
export function patient(options: VaultStoreOptions): VaultStoreOptions {
  return { ...options, timeoutMs: 5_000 };
}

/** `options` are asked for when the store is opened, which is after the fault was armed. */
export function openAt({ folder }: VaultPlace, options: () => VaultStoreOptions): StoreUnderFault {
  return storeHere(() => keyStoreAdapters.vault({ prefix: `keyturn/${folder}`, ...options() }), 15_000);
}

export type VaultFault = Fault<VaultPlace>;

/** A fault whose options are known only when it is armed. */
export function armed(arm: () => Promise<VaultStoreOptions>, more: Partial<VaultFault> = {}): VaultFault {
  let options: VaultStoreOptions = {};
  return {
    arm: async () => {
      options = await arm();
    },
    open: (place) => openAt(place, () => options),
    ...more,
  };
}

/** Puts record 1 into a folder. */
export async function furnish({ folder, clean }: VaultPlace): Promise<void> {
  using octets = SecretBytes.copyOf(CANARY);
  await clean.write(`${folder}/${STANDING}`, octets);
}

export function openClean(server: OpenBao): Promise<KeyStoreDriver> {
  return keyStoreAdapters.vault(patient(hurried(server, server.rootToken)));
}
