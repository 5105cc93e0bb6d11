import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';

/** Every file under a folder, by its path from there, with what it holds. Sockets have no content. */
export async function filesUnder(folder: string): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    // The name itself is on the disk as well.
    if (entry.isDirectory() || entry.isSocket()) files.set(relative(folder, path), Buffer.from(path));
    else if (entry.isFile()) files.set(relative(folder, path), await contentOf(path));
  }
  return files;
}

/** A file may be gone by now: a database's journal, a temporary one. */
async function contentOf(path: string): Promise<Buffer> {
  try {
    const { mode } = await stat(path);
    return Buffer.concat([Buffer.from(`${path} ${mode}\n`), await readFile(path)]);
  } catch {
    return Buffer.from(path);
  }
}
