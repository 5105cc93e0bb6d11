import { type FileStoreReport, verifyFileStore } from '../../keystore/file/verify.ts';
import type { Config } from '../config.ts';
import { type AskSecret, masterKeySource } from '../master-key.ts';
import { openInstance } from '../open.ts';

/**
 * Authenticates every record of a stopped instance's key file, then opens the instance, which holds the store against
 * the ledger.
 * @throws KeyturnError of whatever is wrong, e.g. `keystore_corrupt`, `keystore_rollback`.
 */
export async function verifyStore(config: Config, ask: AskSecret): Promise<FileStoreReport> {
  const report = await verifyFileStore({ path: config.keystore, master: masterKeySource(config.masterKey, ask) });
  const instance = await openInstance(config, { ask });
  await instance.close();
  return report;
}
