import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Config } from '../config.ts';

type Places = Pick<Config, 'ledger' | 'journal'>;

/** Names of the folders that hold a copy of the ledger while a backup is taken begin so; six characters follow. */
export function copyPrefix(config: Places): string {
  const beside = besideOf(config);
  return join(dirname(beside), `.backup-${basename(beside)}-`);
}

/** Removes the copies that a killed process left. For whoever knows that no backup of this instance is under way. */
export async function removeLeftovers(config: Places): Promise<void> {
  const prefix = copyPrefix(config);
  const folder = dirname(prefix);
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const left = path.startsWith(prefix) && /^[A-Za-z0-9]{6}$/.test(path.slice(prefix.length));
    if (left) await rm(path, { recursive: true, force: true });
  }
}

/** The ledger's file; of one in a database the journal, which lies on this machine's own disk. */
function besideOf({ ledger, journal }: Places): string {
  return 'path' in ledger ? ledger.path : journal;
}
