import { open, rm } from 'node:fs/promises';

/** An uploaded file, and whether it is gone. */
export interface Source {
  readonly path: string;
  readonly removed: boolean;
}

/**
 * Overwrites and unlinks each file; on flash, snapshots and journaling file systems copies may live on. Never rejects:
 * the import is done by then.
 */
export async function removeSources(paths: readonly string[]): Promise<Source[]> {
  const sources: Source[] = [];
  for (const path of paths) sources.push({ path, removed: await overwriteAndRemove(path) });
  return sources;
}

async function overwriteAndRemove(path: string): Promise<boolean> {
  try {
    await using file = await open(path, 'r+');
    const stats = await file.stat();
    if (!stats.isFile()) return false;
    await file.writeFile(Buffer.alloc(stats.size));
    await file.sync();
    await rm(path);
    return true;
  } catch {
    return false;
  }
}
