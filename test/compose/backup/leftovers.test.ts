import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { copyPrefix, removeLeftovers } from '../../../src/compose/backup/leftovers.ts';
import type { Config } from '../../../src/compose/config.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kt-leftovers-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Two instances may keep their ledgers, or journals, in one folder. */
const inFile = (name: string) => ({ ledger: { path: join(folder, name) }, journal: '/elsewhere/journal' }) as Config;
const inDatabase = (name: string) => ({ ledger: { postgres: {} }, journal: join(folder, name) }) as unknown as Config;

test.each([
  ['beside a ledger’s file', inFile],
  ['beside the journal of a ledger in a database', inDatabase],
])('what a killed backup left %s goes, and what another instance has there stays', async (_, at) => {
  const [one, other] = [at('one'), at('other')];
  for (const config of [one, one, other]) {
    const copy = await mkdtemp(copyPrefix(config));
    await writeFile(join(copy, 'ledger.db'), 'x');
  }
  await mkdir(join(folder, '.backup-one-kept-for-later'));
  await removeLeftovers(one);
  expect((await readdir(folder)).sort()).toEqual([
    '.backup-one-kept-for-later',
    expect.stringMatching(/^\.backup-other-.{6}$/),
  ]);
});
