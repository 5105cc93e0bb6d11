import { loadConfig } from '../../../compose/config.ts';
import { verifyStore } from '../../../compose/upkeep/verify-store.ts';
import type { Context } from '../../context.ts';
import { askSecret } from '../../terminal/prompt.ts';
import { facts } from '../../terminal/terminal.ts';

export default async function storeVerify({ home, terminal }: Context): Promise<void> {
  const report = await verifyStore(await loadConfig(home), askSecret);
  terminal.result({ ...report, matchesLedger: true }, [
    `Every record of ${report.path} is authentic, and the store is what the ledger knows.`,
    ...facts(Object.entries(report)),
  ]);
}
