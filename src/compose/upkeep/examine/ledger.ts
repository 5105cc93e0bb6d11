import { brokenBy, type Check } from '../../../core/check.ts';
import type { Config } from '../../config.ts';
import { examinePlace } from './private-place.ts';

/** The ledger that the configuration names: the file and its folder, or the database and all that it must grant. */
export async function examineLedger({ ledger }: Config): Promise<Check[]> {
  if ('path' in ledger) return [await examinePlace('ledger', ledger.path)];
  try {
    // The database's client is loaded when it is used.
    const { examinePostgres } = await import('../../../ledger/postgres/examine/examine.ts');
    const checks = await examinePostgres(ledger.postgres);
    return checks.map((check) => ({ ...check, name: `ledger ${check.name}` }));
  } catch (error) {
    return [brokenBy('ledger', error)];
  }
}
