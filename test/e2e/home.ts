import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { initInstance } from '../../src/compose/init.ts';
import { cannotAsk } from '../../src/compose/master-key.ts';

/** An instance's folder as a crash would leave it, to be served at a port of its own. */
export async function copyOf(original: string): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'keyturn-'));
  folders.push(home);
  const left = (path: string) => !/\.(?:lock|sock)$|-shm$|\bcheckpoint\.new$/.test(path);
  await cp(original, home, { recursive: true, filter: left });
  const config = join(home, 'keyturn.yaml');
  await writeFile(config, (await readFile(config, 'utf8')).replace(/port: \d+/, 'port: 0'));
  return home;
}

/** The folder of an instance that `alice` administers. All of one test file have the same keys. */
export async function freshHome(): Promise<string> {
  made ??= (async () => {
    const home = await mkdtemp(join(tmpdir(), 'keyturn-'));
    folders.push(home);
    await initInstance({ home, administrator: 'alice', port: 0, ask: cannotAsk });
    return home;
  })();
  return copyOf(await made);
}

let made: Promise<string> | undefined;

/** Made by this test file, and gone with it. */
const folders: string[] = [];
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));
