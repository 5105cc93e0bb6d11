import { readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Config } from '../config.ts';

/** Of the folders that hold a copy of the ledger while a backup is taken. */
export const COPY_PREFIX = '.backup-';

/** Where they are made: beside the ledger's file; of one in a database beside the journal, on this machine's own disk. */
export function copyFolder({ ledger, journal }: Pick<Config, 'ledger' | 'journal'>): string {
  return dirname('path' in ledger ? ledger.path : journal);
}

/** Removes the copies that a killed process left. For whoever knows that no backup is under way. */
export async function removeLeftovers(config: Pick<Config, 'ledger' | 'journal'>): Promise<void> {
  const folder = copyFolder(config);
  const left = (await readdir(folder)).filter((name) => name.startsWith(COPY_PREFIX));
  for (const name of left) await rm(join(folder, name), { recursive: true, force: true });
}
