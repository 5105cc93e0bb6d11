import { open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parseDocument } from 'yaml';
import { syncFolder } from '../../core/io/sync-folder.ts';

/** Changes one member of the configuration file, whole and durable or not at all, and keeps the operator's comments. */
export async function writeSetting(path: string, member: readonly string[], value: unknown): Promise<void> {
  const document = parseDocument(await readFile(path, 'utf8'));
  document.setIn(member, value);
  const made = `${path}.new`;
  {
    await using file = await open(made, 'w', 0o600);
    await file.writeFile(document.toString());
    await file.sync();
  }
  await rename(made, path);
  await syncFolder(dirname(path));
}
