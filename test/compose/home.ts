import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type InitOptions, initInstance } from '../../src/compose/init.ts';
import { cannotAsk } from '../../src/compose/master-key.ts';

/** A folder for one instance, removed when disposed. */
export interface Home extends AsyncDisposable {
  readonly path: string;
  /** A copy of it elsewhere, as a backup is. */
  copy(name: string): Promise<string>;
}

export async function emptyHome(): Promise<Home> {
  const folder = await mkdtemp(join(tmpdir(), 'ktc-'));
  const path = join(folder, 'home');
  return {
    path,
    async copy(name) {
      await cp(path, join(folder, name), { recursive: true });
      return join(folder, name);
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

/** An instance that was made and never started. */
export async function madeHome(options: Partial<InitOptions> = {}): Promise<Home> {
  const home = await emptyHome();
  await initInstance({ home: home.path, administrator: 'alice', port: 0, ask: cannotAsk, ...options });
  return home;
}
