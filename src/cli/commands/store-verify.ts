import { loadConfig } from '../../compose/config.ts';
import { masterKeySource } from '../../compose/master-key.ts';
import { openInstance } from '../../compose/open.ts';
import { verifyFileStore } from '../../keystore/file/verify.ts';
import type { Context } from '../context.ts';
import { askSecret } from '../prompt.ts';
import { facts } from '../terminal.ts';

/** Authenticates the whole file, then opens the instance, which holds the store against the ledger. */
export default async function storeVerify({ home, terminal }: Context): Promise<void> {
  const config = await loadConfig(home);
  const report = await verifyFileStore({ path: config.keystore, master: masterKeySource(config.masterKey, askSecret) });
  const instance = await openInstance(config, { ask: askSecret });
  await instance.close();
  terminal.result({ ...report, matchesLedger: true }, [
    `Every record of ${report.path} is authentic, and the store is what the ledger knows.`,
    ...facts(Object.entries(report)),
  ]);
}
