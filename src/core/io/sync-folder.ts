import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/** Makes names in a folder durable. Windows can't open a folder, and needs none of it. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  await using folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  await folder.sync();
}
